"""The floor: `mosquitto_sub | mosquitto_pub -l`, a relay in C that neither stores nor classifies.

With the same load and the same subscriber, it shows the best that this machine and this broker can do.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

from benchmarks.mqtt_bytes import open_session, publish
from benchmarks.servers import Failed, Program, Stack, program_path, started
from command.up.ports import HOST

TOPIC_IN, TOPIC_OUT = "floor/in", "floor/out"
PATIENCE_S = 15.0
PROBE_S = 0.3


@contextlib.contextmanager
def relay(stack: Stack, qos: int) -> Iterator[list[Program]]:
    """Runs both halves of the relay at `qos`; yields when a probe has passed through. Raises Failed."""
    common = ["-h", HOST, "-p", str(stack.mqtt_port), "-q", str(qos)]
    sub_command = [program_path("mosquitto_sub"), *common, "-t", TOPIC_IN]
    pub_command = [program_path("mosquitto_pub"), *common, "-t", TOPIC_OUT, "-l"]
    out, into = os.pipe()
    with contextlib.ExitStack() as ends:
        try:
            sub = ends.enter_context(started(f"relay-sub-{qos}", sub_command, stack.folder, stdout=into))
            pub = ends.enter_context(started(f"relay-pub-{qos}", pub_command, stack.folder, stdin=out))
        finally:
            os.close(out)
            os.close(into)
        _await_probe(stack.mqtt_port, [sub, pub])
        yield [sub, pub]


def _await_probe(port: int, programs: list[Program]) -> None:
    """Waits until the latest probe comes back. Messages keep their order, so no probe is in flight afterwards."""
    deadline = time.monotonic() + PATIENCE_S
    with open_session(port, "bench-probe", TOPIC_OUT) as sock:
        sock.settimeout(PROBE_S)
        number, received = 0, b""
        while time.monotonic() < deadline:
            for program in programs:
                program.check()
            number += 1
            probe = b"<probe %d>" % number
            sock.sendall(publish(TOPIC_IN, probe, number))
            with contextlib.suppress(TimeoutError):
                while probe not in received:
                    received += sock.recv(4096)
                return
    raise Failed(f"the relay of mosquitto_sub and mosquitto_pub forwarded nothing within {PATIENCE_S:g} s")
