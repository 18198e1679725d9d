"""What the quarantine keeps of a message that cannot be used."""

from __future__ import annotations

import hashlib

from zelador.buffer import Refused

KEPT = 65_536  # bytes of the payload; length and digest tell the rest


def refuse(topic: str, reason: str, payload: bytes, received_at: int) -> Refused:
    return Refused(
        topic=topic,
        reason=reason,
        payload=payload[:KEPT],
        length=len(payload),
        digest=hashlib.sha256(payload).hexdigest(),
        received_at=received_at,
    )
