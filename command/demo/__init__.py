"""The demo: devices that replay labeled readings, and an independent subscriber that checks the predictions."""
