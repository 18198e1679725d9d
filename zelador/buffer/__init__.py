"""The durable buffer between ingester and worker: Redis Streams, and functions that change them atomically."""

from zelador.buffer.batch import Refused
from zelador.buffer.connection import Stopping, connect_redis
from zelador.buffer.reader import Delivered, Outcome, Reader
from zelador.buffer.sightings import Sighting, Sightings
from zelador.buffer.writer import Accepted, Writer

__all__ = [
    "Accepted",
    "Delivered",
    "Outcome",
    "Reader",
    "Refused",
    "Sighting",
    "Sightings",
    "Stopping",
    "Writer",
    "connect_redis",
]
