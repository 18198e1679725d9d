"""The MQTT session, with five operations: receive, ack, publish, confirmed, close."""

from zelador.link.message import Message, Outgoing
from zelador.link.packets import publish_bytes
from zelador.link.session import Link, LinkOptions
from zelador.link.waiting import Publication

__all__ = ["Link", "LinkOptions", "Message", "Outgoing", "Publication", "publish_bytes"]
