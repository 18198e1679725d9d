"""Inspects a pickle: `opcodes` follows it without running it, `names` lists the usual names."""
