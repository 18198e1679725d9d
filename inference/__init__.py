"""Redis to model to MQTT: read what waits, classify it, publish, then mark it done."""
