"""The MQTT session behind five verbs: receive, ack, publish, confirmed, close."""

from zelador.link.message import Message, Outgoing
from zelador.link.session import Link, LinkOptions, Publication

__all__ = ["Link", "LinkOptions", "Message", "Outgoing", "Publication"]
