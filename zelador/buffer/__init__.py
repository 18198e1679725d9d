"""The durable buffer between the two workers: Redis Streams, and three server-side scripts."""

from zelador.buffer.client import Stopping, connect_redis
from zelador.buffer.reader import Delivered, Outcome, Reader
from zelador.buffer.writer import Accepted, Refused, Writer

__all__ = ["Accepted", "Delivered", "Outcome", "Reader", "Refused", "Stopping", "Writer", "connect_redis"]
