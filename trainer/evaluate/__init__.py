"""How a candidate answers on the hold-out."""
