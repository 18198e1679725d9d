"""/metrics, /healthz and /readyz of a worker, where a port is set: for Prometheus and for who runs the containers."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from zelador.settings import MetricsSettings

log = logging.getLogger(__name__)

TIMEOUT_S = 5.0  # of one request


def serve(
    settings: MetricsSettings,
    registry: CollectorRegistry,
    trouble: Callable[[], str | None],
    remark: Callable[[], str | None] = lambda: None,
) -> Callable[[], None]:
    """Serves in a thread; gives what ends it. Raises OSError when the port is taken.

    /readyz is 503 with the reason while `trouble` gives one; what `remark` gives is said beside "ready".
    """
    if settings.port is None:
        return lambda: None

    class Handler(BaseHTTPRequestHandler):
        timeout = TIMEOUT_S
        server_version = "zelador"
        sys_version = ""

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self._answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)
            elif path == "/healthz":
                self._answer(200, b'{"status": "ok"}')
            elif path == "/readyz":
                found = trouble()
                beside = f"readings get on, but: {said}" if (said := remark()) else "readings get on"
                answer = {"ready": found is None, "detail": found or beside}
                self._answer(200 if found is None else 503, json.dumps(answer, ensure_ascii=False).encode())
            else:
                self._answer(404, b'{"detail": "there is /metrics, /healthz and /readyz"}')

        def _answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            log.debug(format, *args)

    server = ThreadingHTTPServer((settings.host, settings.port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="probes", daemon=True).start()

    def close() -> None:
        server.shutdown()
        server.server_close()

    return close
