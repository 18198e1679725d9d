"""MQTT to Redis: take readings from the broker, store them, then acknowledge."""
