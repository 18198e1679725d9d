"""The demo: devices that replay labelled readings, and an independent subscriber that checks what comes back."""
