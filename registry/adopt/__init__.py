"""Makes an upload of a fitted object from a script or an old file: start with `adopt.py`."""
