"""Zelador: receives readings over MQTT, publishes predictions, and loses nothing in between."""
