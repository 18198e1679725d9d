"""The look at a pickle: `opcodes` follows it without running any of it, `names` says what is usual."""
