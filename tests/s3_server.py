"""An S3 server for tests: moto's, with requests one at a time, and with faults if asked for.

moto checks and writes without a lock, so two writers can both be told that they created a key. A real S3 is
atomic, and so is this server. `python -m tests.s3_server [SHARE SEED]`: for SHARE of the requests, the reply is
lost, the request is refused, or it is executed only after the client has given up.
"""

from __future__ import annotations

import contextlib
import io
import logging
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

OPTIONS = {"region": "us-east-1", "access_key_id": "test", "secret_access_key": "test"}
TIMEOUT_S = 0.5  # of the clients of a server with faults
BUCKET = "zelador-test"
OFF = "/faults/off"


def end_faults(options: dict[str, str]) -> None:
    with contextlib.suppress(urllib.error.HTTPError):
        urllib.request.urlopen(options["endpoint"] + OFF, timeout=30).close()


@contextlib.contextmanager
def run_s3(faults: float = 0.0, seed: int = 7) -> Iterator[dict[str, str]]:
    """The options for obstore of a server in a process of its own, with the bucket `BUCKET`."""
    command = [sys.executable, "-m", "tests.s3_server", str(faults), str(seed)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        assert port, "the S3 server did not start; what it said is on the error output"
        yield {**OPTIONS, "endpoint": f"http://127.0.0.1:{port}"}
    finally:
        server.kill()
        server.communicate(timeout=10)


class Faulty:
    """The application of `inner`; faults begin once the bucket exists."""

    def __init__(self, inner, share: float, seed: int) -> None:
        self.inner, self.share = inner, share
        self.draw = random.Random(seed)
        self.lock = threading.Lock()
        self.counts = {"lost": 0, "refused": 0, "late": 0, "cut": 0, "right": 0}

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] == OFF:
            self.share = 0.0
        with self.lock:
            faulty = self.share and environ["PATH_INFO"].count("/") > 1 and self.draw.random() < self.share
            fault = self.draw.choice(["lost", "refused", "late", "cut"]) if faulty else "right"
            self.counts[fault] += 1
        if fault == "refused":
            start_response("503 Slow Down", [("Content-Length", "0")])
            return []
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if len(body) < int(environ.get("CONTENT_LENGTH") or 0):  # its client was killed
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return []
        environ["wsgi.input"] = io.BytesIO(body)
        if fault == "late":
            time.sleep(TIMEOUT_S * (0.9 + self.draw.random() / 2))
        with self.lock:
            answer = list(self.inner(environ, start_response))
        if fault == "lost":
            start_response("500 Internal Server Error", [("Content-Length", "0")], True)
            return []
        if fault == "cut":
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return answer


def main() -> None:
    from moto.server import create_backend_app
    from werkzeug.serving import make_server
    from werkzeug.test import Client

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    share, seed = (float(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 2 else (0.0, 7)
    app = Faulty(create_backend_app("s3"), share, seed)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made = Client(app.inner).put(f"/{BUCKET}", base_url=f"http://127.0.0.1:{server.port}")
    assert made.status_code == 200, made.data
    print(server.port, flush=True)  # noqa: T201 - what whoever started it reads
    sys.stdin.read()  # until the process that started it is gone


if __name__ == "__main__":
    main()
