"""Message formats: readings in the buffer, predictions for subscribers, and the meaning of a label."""

from zelador.messages.labels import MAX_LABEL, label_text
from zelador.messages.shapes import Arrival, Prediction, Reading, content_hash, encode_json, iso, prediction_id

__all__ = [
    "MAX_LABEL",
    "Arrival",
    "Prediction",
    "Reading",
    "content_hash",
    "encode_json",
    "iso",
    "label_text",
    "prediction_id",
]
