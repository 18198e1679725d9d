"""Serves the console's static files, under names with their digest, so that browsers can keep them.

Files are read and compressed once, ours without comments and needless blanks. URLs in the style sheet are replaced by
these names.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request, Response

from admin.access.roles import Route, open_to_anyone
from admin.etag import is_known
from admin.packed import accepts_gzip

FOLDER = Path(__file__).with_name("static")
PREFIX = "/console/static/"
KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".woff2": "font/woff2",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
URL = re.compile(rb'url\("([^"]+)"\)')
COMMENTS = {
    ".css": re.compile(rb"/\*.*?\*/\s*", re.DOTALL),
    ".js": re.compile(rb"^[ \t]*//.*\n|[ \t]{2}// .*", re.MULTILINE),
}
# Of our own style sheet, which has no text with blanks, and of our own script, which has no text of several lines.
BLANKS: dict[str, tuple[tuple[re.Pattern[bytes], bytes], ...]] = {
    ".css": (
        (re.compile(rb"\s+"), b" "),
        (re.compile(rb" ?([{};,>]) ?"), rb"\1"),
        (re.compile(rb": "), b":"),
        (re.compile(rb";}"), b"}"),
    ),
    ".js": ((re.compile(rb"^[ \t]+", re.MULTILINE), b""), (re.compile(rb"([;{,(])\n+"), rb"\1")),
}
# Files that a page loads together are sent as one: together they are smaller.
JOINED = {
    "vendor/htmx.js": ("vendor/htmx.min.js", "vendor/hx-sse.min.js", "vendor/hx-csp.min.js"),
    "console.css": (  # later rules count
        "console.css",
        "parts.css",
        "plots.css",
        "dialogs.css",
        "phone.css",
        "pages.css",
        "server.css",
        "run.css",
    ),
    "console.js": ("console.js", "live.js", "focus.js", "held.js", "forms.js"),
    "overview.js": ("lists.js", "axes.js", "overview.js"),
    "device.js": ("axes.js", "device.js"),
}
FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class StaticFile:
    url: str
    digest: str
    kind: str
    data: bytes
    packed: bytes | None  # gzip; None if it would not be smaller


@lru_cache(maxsize=64)
def static_file(name: str) -> StaticFile:
    """Returns the file in `static/` with this name, such as `vendor/htmx.js`."""
    path = FOLDER / name
    data = b"\n".join((FOLDER / part).read_bytes() for part in JOINED.get(name, (name,)))
    if path.parent == FOLDER and path.suffix in COMMENTS:  # our own files, not those of others
        data = COMMENTS[path.suffix].sub(b"", data)
        for pattern, short in BLANKS[path.suffix]:
            data = pattern.sub(short, data)
    if path.suffix == ".css":
        data = URL.sub(lambda found: f'url("{static_file(found[1].decode()).url}")'.encode(), data)
    packed = gzip.compress(data, 9, mtime=0)
    digest = hashlib.sha256(data).hexdigest()[:12]
    url = f"{PREFIX}{path.stem}.{digest}{path.suffix}"
    return StaticFile(url, digest, KINDS[path.suffix], data, packed if len(packed) < 0.95 * len(data) else None)


def names() -> list[str]:
    """Returns the files that pages name."""
    found = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.suffix in KINDS}
    return sorted(found.difference(*JOINED.values()) | JOINED.keys() | {"lists.js"})


def _endpoint(file: StaticFile) -> Callable[[Request], Awaitable[Response]]:
    tag = f'"{file.digest}"'
    headers = {"Cache-Control": FOREVER, "Vary": "Accept-Encoding", "ETag": tag}

    async def serve(request: Request) -> Response:
        if is_known(request, tag):  # a person has told the browser to load the page again
            return Response(status_code=304, headers=headers)
        if file.packed is not None and accepts_gzip(request):
            return Response(file.packed, media_type=file.kind, headers={**headers, "Content-Encoding": "gzip"})
        return Response(file.data, media_type=file.kind, headers=headers)

    return serve


def router() -> APIRouter:
    """Returns a route for each file, so that the path of a request never names a file."""
    routes = APIRouter(route_class=Route, include_in_schema=False)
    for name in names():
        file = static_file(name)
        routes.add_api_route(file.url, _endpoint(file), name=f"static {name}", **open_to_anyone())
    return routes
