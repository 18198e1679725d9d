"""/: one small page that leads to the documents. It needs no key and shows nothing of the system."""

from __future__ import annotations

from html import escape
from importlib.metadata import version

from fastapi import APIRouter, Response

from admin.access.roles import Route, open_to_anyone
from admin.document.docs_page import POLICY, STYLE

router = APIRouter(route_class=Route)

LINKS = (
    ("/docs", "the API: every operation, with examples"),
    ("/openapi.json", "the same, for tools"),
    ("/readyz", "whether it is ready, and why not"),
    ("/metrics", "metrics for Prometheus"),
)


@router.get("/", include_in_schema=False, **open_to_anyone())
async def landing() -> Response:
    return Response(PAGE, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": POLICY})


def _page() -> str:
    links = "".join(f'<li><a href="{path}"><code>{path}</code></a> {escape(text)}</li>' for path, text in LINKS)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Zelador</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<header><h1>Zelador</h1>"
        f"<p>Version {escape(version('zelador'))}. This is the admin server. Devices do not connect here: they "
        "publish over MQTT.</p></header>\n"
        f'<main><section class="links"><ul>{links}</ul></section></main>\n</body>\n</html>\n'
    )


PAGE = _page()
