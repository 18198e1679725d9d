"""/docs: the operations, drawn from the OpenAPI document. No script, and nothing from another host."""

from __future__ import annotations

from html import escape

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

router = APIRouter()

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title} API</title>
<h1>{title} API {version}</h1>
<p>{description}</p>
<p>The whole document, for tools: <a href="/openapi.json">/openapi.json</a></p>
<table><thead><tr><th>Method<th>Path<th>What it does<th>Answers</thead><tbody>
{rows}
</tbody></table>
</html>
"""


@router.get("/docs", include_in_schema=False)
def docs(request: Request) -> HTMLResponse:
    document = request.app.openapi()
    rows = [
        f"<tr><td>{method.upper()}<td><code>{escape(path)}</code><td>{escape(operation.get('summary', ''))}"
        f"<td>{escape(', '.join(operation['responses']))}"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    info = document["info"]
    description = escape(info["description"]).replace("\n\n", "<p>")
    return HTMLResponse(
        PAGE.format(title=escape(info["title"]), version=info["version"], description=description, rows="\n".join(rows))
    )
