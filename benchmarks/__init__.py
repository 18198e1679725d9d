"""End-to-end performance of the product, compared with a plain relay: `make bench`."""
