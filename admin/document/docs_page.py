"""/docs: all operations on one page, generated from the OpenAPI document. It has no scripts, and loads nothing.

The search is a form. The server answers with the same page, reduced to the operations that match. Who has a key or a
session gets commands with names of the plant.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request, Response

from admin.access.identity import KEY
from admin.access.roles import FIELD, Route, open_to_anyone
from admin.document.effects import effect
from admin.document.example_names import ExampleNames, example_names
from admin.etag import is_known
from admin.packed import accepts_gzip
from operations.key_file import ROLES, Key
from zelador.printable import shell_word

router = APIRouter(route_class=Route)

STYLE = Path(__file__).with_name("docs_page.css").read_text(encoding="utf-8")
_digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_digest}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

MAX_SEARCH = 100  # characters
HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")
USUAL_PLACE = "127.0.0.1:8000"
HEADINGS = (
    '<div class="head" aria-hidden="true"><span>Method</span><span>Path</span><span>What it does</span>'
    "<span>Role</span></div>"
)
NO_NAMES = ExampleNames()
NAMES_S = 60.0  # how long the names of the plant are kept
ANY = "Any JSON"  # the descriptions of fields without a type begin with this

Document = Mapping[str, Any]


@router.get("/openapi.json", include_in_schema=False, **open_to_anyone())
def document(request: Request) -> Response:
    return _answer(request, _document(request.app), "application/json", {})


@router.get("/docs", include_in_schema=False, **open_to_anyone())
def docs(request: Request, q: Annotated[str, Query(max_length=MAX_SEARCH)] = "") -> Response:
    key: Key | None = request.scope.get(KEY)
    is_known_visitor = key is not None and key.state == "valid"
    names = _names(request.app, int(time.monotonic() // NAMES_S)) if is_known_visitor else NO_NAMES
    data = _docs(_document(request.app), " ".join(q.split()), _place(request), names)
    headers = {"Content-Security-Policy": POLICY}
    return _answer(request, data, "text/html; charset=utf-8", headers, "Accept-Encoding, Authorization, Cookie")


def _place(request: Request) -> str:
    """Returns where this page is, as curl takes it: host and port, over TLS with the scheme."""
    host = request.headers.get("host", "")
    if not HOST.fullmatch(host):
        return USUAL_PLACE
    return f"https://{host}" if request.scope["scheme"] == "https" else host


def _answer(
    request: Request, data: bytes, kind: str, headers: dict[str, str], vary: str = "Accept-Encoding"
) -> Response:
    """Rendered once for each process. A client that already has the page gets 304."""
    tag = _tag(data)
    headers = {**headers, "ETag": tag, "Cache-Control": "no-cache"}
    if is_known(request, tag):
        return Response(status_code=304, headers=headers)
    headers["Vary"] = vary
    if accepts_gzip(request):
        return Response(_packed(data), media_type=kind, headers={**headers, "Content-Encoding": "gzip"})
    return Response(data, media_type=kind, headers=headers)


@lru_cache(maxsize=8)
def _packed(data: bytes) -> bytes:
    return gzip.compress(data, 9, mtime=0)


@lru_cache(maxsize=4)
def _document(app: FastAPI) -> bytes:
    return json.dumps(app.openapi(), ensure_ascii=False, separators=(",", ":")).encode()


@lru_cache(maxsize=2)
def _names(app: FastAPI, _period: int) -> ExampleNames:
    return example_names(app.state.services)


@lru_cache(maxsize=8)
def _docs(document: bytes, search: str, place: str, names: ExampleNames) -> bytes:
    return page(*_parsed(document, names), search, place).encode()


@lru_cache(maxsize=3)
def _parsed(document: bytes, names: ExampleNames) -> tuple[Document, tuple[_Rendered, ...]]:
    """Returns the document and its rendered operations. They are rendered once; a search only selects."""
    found = json.loads(document)
    return found, tuple(_operations(found, names))


@dataclass(frozen=True, slots=True)
class _Rendered:
    group: str
    text: str  # the text to search, in lower case
    html: str


def _operations(document: Document, names: ExampleNames) -> Iterator[_Rendered]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            (group,) = operation["tags"]
            html = _operation(document, method.upper(), path, operation, names)
            yield _Rendered(group, f"{group} {_searched(method, path, operation)}", html)


@lru_cache(maxsize=8)
def _tag(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


def page(document: Document, rendered: Iterable[_Rendered], search: str = "", place: str = USUAL_PLACE) -> str:
    """Renders the document as one HTML page: operations in groups, each collapsed until it is opened.

    With `search`, shows only the operations that have all its words in group, path, summary, description, parameters or
    role. `place`: the address of the API, for the commands.
    """
    variables = (
        f"ZELADOR={place}  # host and port of this page\nKEY=zlk_...{' ' * max(1, len(place) - 2)} # zelador keys new"
    )
    groups: dict[str, list[str]] = {}
    words = search.casefold().split()
    for operation in rendered:
        if all(word in operation.text for word in words):
            groups.setdefault(operation.group, []).append(operation.html)
    links = "".join(f'<li><a href="#{escape(group)}">{escape(group)}</a></li>' for group in groups)
    sections = "".join(
        f'<section id="{escape(group)}"><h2>{escape(group)}</h2>{HEADINGS}{"".join(found)}</section>\n'
        for group, found in groups.items()
    )
    again, count = "", sum(map(len, groups.values()))
    if search:
        plural = "" if count == 1 else "s"
        again = f'<p>{count} operation{plural} with “{escape(search)}”. <a href="/docs">Show all</a></p>'
        sections = sections or "<section><p>No operation has all these words.</p></section>"
    info = document["info"]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(info['title'])} API</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(info['title'])} API</h1>"
        f"<p>Version {escape(info['version'])}. {_text(info['description'])}</p>"
        '<p>The whole document, for tools: <a href="/openapi.json">/openapi.json</a>. '
        'For people: <a href="/console/">the console</a></p>'
        "<p>Open a row for parameters, a command to copy, and answers. <b>Role</b> is the least role of a key for the "
        "operation: a viewer looks, an operator also makes changes, an admin does everything. The commands use:</p>"
        f'<pre tabindex="0" class="copy">{escape(variables)}</pre>'
        '<form action="/docs" role="search"><input type="search" name="q" aria-label="Search the operations" '
        f'placeholder="Search, such as quarantine replay" maxlength="{MAX_SEARCH}" value="{escape(search)}">'
        f"<button>Search</button>{again}</form>"
        f"<nav><ul>{links}</ul></nav></header>\n<main>\n{sections}</main>\n</body>\n</html>\n"
    )


# ── inside ───────────────────────────────────────────────────────────────────────────────────────


def _operation(document: Document, method: str, path: str, operation: Document, names: ExampleNames) -> str:
    role = operation.get(FIELD, "no key")
    description = operation.get("description", "").removesuffix(f"Role: {role}.").strip()
    parts = [f"<p>{_text(description)}</p>" if description else "", _parameters(operation)]
    command = curl(document, method, path, operation, names)
    effects = f"<p>{_text(said)}</p>" if (said := effect(method, path, role)) else ""
    parts.append(f'<h3>Try it</h3>{effects}<pre tabindex="0" class="copy">{escape(command)}</pre>')
    body = operation.get("requestBody", {}).get("content", {})
    for kind, content in body.items():
        parts.append(f"<h3>Body <span>{escape(kind)}</span></h3>{_json(names.body(_example(document, content)))}")
    parts.append(_answers(document, operation))
    return (
        f'<details><summary><b class="{method.lower()}">{method}</b><code>{escape(path)}</code>'
        f"<span>{escape(operation.get('summary', ''))}</span><i><small>Role: </small>{escape(role)}</i></summary>"
        f"<div>{''.join(parts)}</div></details>\n"
    )


def _searched(method: str, path: str, operation: Document) -> str:
    names = (each["name"] for each in operation.get("parameters", ()))
    parts = (method, path, operation.get("summary", ""), operation.get("description", ""), operation.get(FIELD, ""))
    return " ".join((*parts, *names)).casefold()


def curl(document: Document, method: str, path: str, operation: Document, names: ExampleNames = NO_NAMES) -> str:
    """Returns a curl command to copy. Address and key are shell variables."""
    lines = [] if method in ("GET", "POST") else [f"-X {method}"]
    if operation.get(FIELD) in ROLES:
        lines.append('-H "Authorization: Bearer $KEY"')
    query = []
    for each in operation.get("parameters", ()):
        is_needed = each.get("required") or (each["name"].lower() == "if-match" and "428" in operation["responses"])
        if is_needed and each["in"] == "header":
            lines.append("-H " + shell_word(f"{each['name']}: *"))
        if each.get("required") and each["in"] == "query":
            query.append(f"{each['name']}={each['name'].upper()}")
    body = next(iter(operation.get("requestBody", {}).get("content", {}).items()), None)
    if body is not None:
        kind, content = body
        lines.append(f'-H "Content-Type: {kind}"')
        example = json.dumps(names.body(_example(document, content)) or {}, ensure_ascii=False)
        lines.append(f"-d {shell_word(example)}" if kind == "application/json" else "--data-binary @FILE")
    elif method == "POST":
        lines.insert(0, "-X POST")
    where = names.path(method, path) + ("?" + "&".join(query) if query else "")
    return "curl " + " \\\n  ".join([*lines, f'"$ZELADOR{where}"'])


def _parameters(operation: Document) -> str:
    rows = [
        f'<tr><th scope="row"><code>{escape(each["name"])}</code></th><td>{escape(each["in"])}'
        f"{', required' if each.get('required') else ''}</td><td>{_text(each.get('description', ''))}"
        f"{_limits(each['schema'])}</td></tr>"
        for each in operation.get("parameters", ())
    ]
    return _table(("Parameter", "In", "Description"), rows) if rows else ""


def _limits(schema: Document) -> str:
    """Renders the allowed values of a parameter, and its default."""
    found = next((each for each in schema.get("anyOf", ()) if each.get("type") != "null"), schema)
    limits = []
    if "enum" in found:
        limits.append(" or ".join(map(str, found["enum"])))
    if "minimum" in found or "maximum" in found:
        limits.append(f"{found.get('minimum', '…')} to {found.get('maximum', '…')}")
    if schema.get("default") not in (None, "", []):
        limits.append(f"{_written(schema['default'])} by default")
    return f' <span class="limits">{escape("; ".join(limits))}</span>' if limits else ""


def _written(value: Any) -> str:
    """Writes a value as a query has it: text without quotes, and false in lower case."""
    return value if isinstance(value, str) else json.dumps(value)


def _answers(document: Document, operation: Document) -> str:
    rows = []
    for status, answer in operation["responses"].items():
        kinds = answer.get("content", {})
        shown = "".join(
            f"<details><summary>{escape(kind)}</summary>{_json(content['example'])}"
            f"{_fields(document, content['schema']) if int(status) < 300 else ''}</details>"
            if "example" in content
            else f"<p>{escape(kind)}</p>"
            for kind, content in kinds.items()
        )
        rows.append(f'<tr><th scope="row">{escape(status)}</th><td>{_text(answer["description"])}{shown}</td></tr>')
    return _table(("Answer", "Description"), rows)


def _fields(document: Document, schema: Document) -> str:
    """Renders the fields of a response and of the objects in it, each schema once."""
    found: list[str] = []
    for name in _schemas(document, schema, {}):
        shape = document["components"]["schemas"][name]
        needed = shape.get("required", ())
        rows = []
        for key, each in shape["properties"].items():
            kind = _kind(each) + ("" if key in needed else ", may be absent")
            description = each["description"].removeprefix(f"{ANY}: ")
            rows.append(
                f'<tr><th scope="row"><code>{escape(key)}</code></th><td>{escape(kind)}</td>'
                f"<td>{_text(description[0].upper() + description[1:])}</td></tr>"
            )
        found.append(f"<h3>{escape(name)}</h3>{_table(('Field', 'Type', 'Description'), rows)}")
    return "".join(found)


def _schemas(document: Document, part: Any, found: dict[str, None]) -> Iterable[str]:
    """Yields the names of the schemas that `part` uses, outer ones first."""
    if isinstance(part, Mapping):
        name = str(part.get("$ref", "")).rpartition("/")[2]
        if name and name not in found:
            found[name] = None
            _schemas(document, document["components"]["schemas"][name]["properties"], found)
        for each in part.values():
            _schemas(document, each, found)
    elif isinstance(part, list):
        for each in part:
            _schemas(document, each, found)
    return found


def _kind(schema: Document) -> str:
    """Describes a type in words, such as `integer or null` or `array of Model`."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(map(_kind, schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if "items" in schema:
        return f"array of {_kind(schema['items'])}"
    if isinstance(inner := schema.get("additionalProperties"), Mapping):
        return f"object of {_kind(inner)}"
    return str(schema.get("type", ANY))


def _table(head: tuple[str, ...], rows: list[str]) -> str:
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _example(document: Document, content: Document) -> Any:
    schema = content["schema"]
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return next(iter(schema.get("examples", ())), None)


def _json(example: Any) -> str:
    return (
        ""
        if example is None
        else f'<pre tabindex="0">{escape(json.dumps(example, indent=2, ensure_ascii=False))}</pre>'
    )


def _text(text: str) -> str:
    """Renders paragraphs and `code`."""
    return "</p><p>".join("".join(_words(part)) for part in text.split("\n\n"))


def _words(text: str) -> Iterator[str]:
    for number, part in enumerate(re.split("`([^`]+)`", text)):
        yield f"<code>{escape(part)}</code>" if number % 2 else escape(part)
