"""Lets only acknowledgements of a device pass to rumqttd, the broker from the wheel, before it stops.

rumqttd sends a subscriber at most 100 messages that the subscriber has not acknowledged, and loses the others when it
stops. What a held device publishes is dropped: without an acknowledgement, the device publishes it again later.
"""

from __future__ import annotations

from command.up.connect_packet import read_varint

PASSED = frozenset((4, 5, 7, 12, 14))  # PUBACK, PUBREC, PUBCOMP, PINGREQ, DISCONNECT


class HeldStream:
    """Takes what DeviceStream has checked, from the beginning of a packet on, in chunks of any size."""

    def __init__(self) -> None:
        self._incomplete = bytearray()  # at most one acknowledgement, which DeviceStream limits
        self._dropping = 0  # remaining bytes of a packet that does not pass

    def feed(self, data: bytes) -> bytes:
        """Returns the complete acknowledgements."""
        skipped = min(self._dropping, len(data))
        self._incomplete += data[skipped:]
        passed, at, end = bytearray(), 0, len(self._incomplete)
        while at < end:
            length, head = read_varint(self._incomplete[at : at + 5], 1)
            stop = at + head + length
            may_pass = self._incomplete[at] >> 4 in PASSED
            if head == 0 or (may_pass and stop > end):
                break
            if may_pass:
                passed += self._incomplete[at:stop]
            at = stop
        self._dropping = self._dropping - skipped + max(0, at - end)
        del self._incomplete[:at]
        return bytes(passed)
