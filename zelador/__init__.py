"""Zelador: receives readings over MQTT, publishes predictions, and loses nothing in between."""

import os

# ONNX Runtime reads this once, when it is loaded. Otherwise it reports each model to its maker over the network, and
# writes files of its own to the user's cache and to the folder for temporary files.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
