"""Zelador: receives readings over MQTT, publishes predictions, and loses nothing in between."""

import os

# ONNX Runtime reads this once, when it is loaded. Otherwise it reports each model to its vendor over the network,
# and writes files to the user's cache and to the folder for temporary files.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
