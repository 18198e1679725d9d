"""The history of one device: its readings in a period, summed up in equal parts, read within a time limit."""
