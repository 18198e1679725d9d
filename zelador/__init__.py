"""Zelador: readings come in over MQTT, predictions go out, and nothing is lost between."""
