"""How fast the product is, end to end, beside a relay that does nothing: `make bench`."""
