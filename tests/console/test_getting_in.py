"""Signing in and out, what a session may do, and who is refused."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import httpx
import pytest
import redis

from admin.access.origin import objection
from admin.access.sessions import MAX_OF_KEY, Sessions
from operations import sign_in_links
from operations.key_file import KeyFile, new_key, revoke
from registry.registry import Registry
from tests.console.conftest import Site
from tests.console.outline import Outline
from tests.small_models import upload
from zelador.buffer.keys import Keys

COOKIE = "zelador_session"


def cookie_of(answer: httpx.Response) -> str:
    return next((each for each in answer.headers.get_list("set-cookie") if "session" in each), "")


def raw(site: Site, method: str, path: str, *headers: str, host: str | None = None, body: bytes = b"") -> str:
    """The head and body of the answer to a request that no HTTP client would send."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{site.settings.api.port}'}", *headers]
    if body:
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
    with socket.create_connection(("127.0.0.1", site.settings.api.port), timeout=20) as sock:
        sock.sendall(("\r\n".join([*lines, "Connection: close", "", ""])).encode() + body)
        found = b""
        while data := sock.recv(65_536):
            found += data
    return found.decode("utf-8", "replace")


def test_a_browser_is_redirected_to_the_console_and_a_program_is_not(site: Site) -> None:
    with site.client(None) as client:
        led = client.get("/", headers={"Accept": "text/html,application/xhtml+xml"})
        assert (led.status_code, led.headers["location"]) == (303, "/console/")
        assert client.get("/").status_code == 401
        assert client.get("/", headers={"Authorization": f"Bearer {site.keys['admin']}"}).status_code == 404
        assert client.get("/console/").headers["location"] == "/console/signin"
        kept = client.get("/console/models?q=small")
        assert kept.headers["location"].startswith("/console/signin?next=/console/models")
        assert client.get("/console/signin").status_code == 200


def test_a_key_signs_in_and_the_session_ends_with_the_key(site: Site) -> None:
    record, key = new_key(site.settings.api.keys_file, "operator", "for a while")
    with site.client(None) as client:
        answer = client.post("/console/signin", data={"key": key, "next": "/console/models"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/models")
        cookie = cookie_of(answer)
        assert cookie.startswith(f"{COOKIE}=")
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "Secure" not in cookie
        assert "Max-Age" not in cookie
        assert key not in str(client.cookies)
        assert client.get("/console/models").status_code == 200
        assert client.get("/v1/models").status_code == 200
        revoke(site.settings.api.keys_file, record.id)
        assert client.get("/console/models").status_code == 303
        assert client.get("/v1/models").status_code == 401


def test_a_session_lasts_twelve_hours(site: Site) -> None:
    with site.client(None) as client:
        answer = client.post("/console/signin", data={"key": site.keys["viewer"], "stay": "yes"})
        assert "Max-Age=43200" in cookie_of(answer)
        token = client.cookies[COOKIE]
    store = redis.Redis.from_url(site.settings.redis.url)
    names = list(store.scan_iter(f"{{{site.settings.redis.prefix}}}:session:*"))
    assert all(0 < store.ttl(name) <= 43_200 for name in names)
    assert token.encode() not in b" ".join(names) + b" ".join(value or b"" for value in store.mget(names))
    store.close()


def test_signing_out_ends_the_session_for_good(site: Site) -> None:
    with site.client("viewer") as client:
        token = client.cookies[COOKIE]
        answer = client.post("/console/signout")
        assert answer.headers["location"] == "/console/signin"
        refused = httpx.get(f"{site.url}/console/overview", cookies={COOKIE: token})
        assert refused.status_code == 303
        form = f"{site.url}{refused.headers['location']}"
        assert "Your session has ended" in httpx.get(form, cookies={COOKIE: token}).text
        assert "Your session has ended" not in httpx.get(form).text  # of somebody who never signed in


def test_a_wrong_key_is_reported_and_delayed(site: Site) -> None:
    with site.client(None) as client:
        for nothing in ({}, {"key": " "}):
            assert client.post("/console/signin", data=nothing).status_code == 422
        answer = client.post("/console/signin", data={"key": "zlk_wrong"})
        assert answer.status_code == 401
        assert "This key is not valid" in answer.text
        assert 'aria-invalid="true"' in answer.text
        assert "set-cookie" not in answer.headers
        assert "zlk_wrong" not in answer.text


@pytest.mark.parametrize(
    "path", ["//evil.example/", "https://evil.example/", "/console/\\evil", "/v1/keys", "/console//x"]
)
def test_signing_in_redirects_to_no_other_site(site: Site, path: str) -> None:
    with site.client(None) as client:
        answer = client.post("/console/signin", data={"key": site.keys["viewer"], "next": path})
        assert answer.headers["location"] == "/console/overview"
        answer = client.post("/console/theme", data={"theme": "dark", "next": path})
        assert answer.headers["location"] == "/console/overview"


CROSS = [
    ("Sec-Fetch-Site: cross-site",),
    ("Sec-Fetch-Site: same-site",),
    ("Origin: https://evil.example",),
    ("Origin: null",),
    ("Origin: http://127.0.0.1:1",),
    ("Sec-Fetch-Site: cross-site", "Origin: http://127.0.0.1"),
]


@pytest.mark.parametrize("headers", CROSS)
def test_a_form_from_another_site_changes_nothing(site: Site, headers: tuple[str, ...]) -> None:
    with site.client("admin") as client:
        cookie = f"Cookie: {COOKIE}={client.cookies[COOKIE]}"
        for path, body in (
            ("/console/models/other/select", b"why=x"),
            ("/console/signout", b"x=y"),
            ("/console/signin", b"key=x"),
            ("/v1/selection/rollback", b""),
        ):
            assert " 403 " in raw(site, "POST", path, cookie, *headers, body=body).partition("\r\n")[0]
        assert client.get("/v1/selection").json()["model"] == "small"
        assert client.get("/console/overview").status_code == 200


def test_a_form_from_this_site_is_accepted(site: Site) -> None:
    with site.client("operator") as client:
        cookie, origin = f"Cookie: {COOKIE}={client.cookies[COOKIE]}", f"Origin: {site.url}"
        for headers in ((origin,), ("Sec-Fetch-Site: same-origin", origin), ()):
            head = raw(site, "POST", "/console/models/other/notes", cookie, *headers, body=b"notes=checked")
            assert " 303 " in head.partition("\r\n")[0], head


def test_acts_beyond_a_role_are_not_shown_and_are_refused(site: Site) -> None:
    with site.client("viewer") as client:
        page = client.get("/console/models/other").text
        assert "/select" not in page
        assert "/delete" not in page
        assert "/notes" not in page
        refused = client.post("/console/models/other/select", data={"why": "x"})
        assert refused.status_code == 403
        assert "Your key does not allow this" in refused.text
        assert client.get("/v1/selection").json()["model"] == "small"
    with site.client("operator") as client:
        assert "/delete" not in client.get("/console/models/other").text
        assert client.post("/console/models/other/delete", data={"typed": "other"}).status_code == 403


def test_a_model_that_the_plant_cannot_feed_needs_force(site: Site) -> None:
    Registry.open(site.settings.registry.url).save("wide", upload(features=("lux", "humidity", "noise")), by="test")
    with site.client("operator") as client:
        page = client.get("/console/models/wide").text
        assert "The plant does not send what this model needs: humidity, noise." in page
        assert 'name="force"' not in client.get("/console/models/other").text
        refused = client.post("/console/models/wide/select", data={"why": "x"})
        assert (refused.status_code, "wide needs humidity, noise" in refused.text.lower()) == (409, True)
        assert client.get("/v1/selection").json()["model"] == "small"


def link(site: Site) -> str:
    return sign_in_links.make_link(site.settings.api.keys_file)


def test_a_link_signs_in_once(site: Site) -> None:
    path = link(site)
    kept = sign_in_links.where(site.settings.api.keys_file)
    assert path.rpartition("/")[2] not in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
    with site.client(None) as client:
        answer = client.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/overview")
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert cookie_of(answer)
        assert client.get("/console/overview").status_code == 200
    with site.client(None) as client:
        again = client.get(path)
        assert again.status_code == 403
        assert "This link no longer works" in again.text
        assert 'name="key"' in again.text
        assert "set-cookie" not in again.headers


@pytest.mark.parametrize(
    ("headers", "host"),
    [
        (("X-Forwarded-For: 127.0.0.1",), None),
        (("Forwarded: for=127.0.0.1",), None),
        (("X-Forwarded-Proto: https",), None),
        ((), "zelador.example"),
        ((), "evil.example:8000"),
        ((), "127.0.0.1.evil.example"),
    ],
)
def test_a_link_is_refused_away_from_this_machine_and_is_not_used_up(
    site: Site, headers: tuple[str, ...], host: str | None
) -> None:
    path = link(site)
    assert " 403 " in raw(site, "GET", path, *headers, host=host).partition("\r\n")[0]
    assert " 303 " in raw(site, "GET", path, host=f"localhost:{site.settings.api.port}").partition("\r\n")[0]


def test_a_link_that_is_too_old_does_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    path = link(site)
    now = sign_in_links.time.time()
    monkeypatch.setattr(sign_in_links.time, "time", lambda: now + 61)
    assert sign_in_links.take_link(site.settings.api.keys_file, path.rpartition("/")[2]) is None
    monkeypatch.setattr(sign_in_links.time, "time", lambda: now - 3_600)  # the clock was set back
    assert sign_in_links.take_link(site.settings.api.keys_file, path.rpartition("/")[2]) is None


def test_over_tls_the_cookie_is_bound_to_the_host(tmp_path: Path, redis_url: str, mqtt_url: str) -> None:
    """Behind a proxy that ends TLS, the cookie is __Host- with Secure; the plain one is not accepted there."""
    from tests.console.conftest import serving

    with serving(tmp_path, redis_url, mqtt_url, trusted_proxies="127.0.0.1") as site, site.client(None) as client:
        tls = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
        secure = cookie_of(client.post("/console/signin", data={"key": site.keys["viewer"]}, headers=tls))
        assert re.match(r"__Host-zelador_session=\S+; HttpOnly; Path=/; SameSite=lax; Secure$", secure), secure
        plain = cookie_of(client.post("/console/signin", data={"key": site.keys["viewer"]}))
        client.cookies.clear()
        for cookie, over_tls, status in (
            (secure, True, 200),
            (plain, True, 303),
            (secure, False, 303),
            (plain, False, 200),
        ):
            headers = {**(tls if over_tls else {}), "Cookie": cookie.partition(";")[0]}
            assert client.get("/console/overview", headers=headers).status_code == status
        name, _, value = plain.partition(";")[0].partition("=")
        forged = {**tls, "Cookie": f"{name}={value}; zelador_session={value}"}
        assert client.get("/console/overview", headers=forged).status_code == 303


def test_a_key_has_a_bounded_number_of_sessions(site: Site) -> None:
    client = redis.Redis.from_url(site.settings.redis.url)
    record, _ = new_key(site.settings.api.keys_file, "viewer")
    sessions = Sessions(client, site.settings.redis.prefix, KeyFile(site.settings.api.keys_file))
    tokens = [sessions.begin(record) for _ in range(MAX_OF_KEY + 3)]
    assert [sessions.find(token) is not None for token in tokens] == [False] * 3 + [True] * MAX_OF_KEY
    assert client.zcard(Keys(site.settings.redis.prefix).sessions(record.id)) == MAX_OF_KEY
    client.close()


def test_a_known_session_continues_while_redis_is_away(site: Site) -> None:
    client = redis.Redis.from_url(site.settings.redis.url)
    record, _ = new_key(site.settings.api.keys_file, "viewer")
    sessions, others = (
        Sessions(client, site.settings.redis.prefix, KeyFile(site.settings.api.keys_file)) for _ in range(2)
    )
    begun, seen, unseen = sessions.begin(record), others.begin(record), others.begin(record)
    assert sessions.find(seen) is not None
    client.close()
    gone = redis.Redis.from_url("redis://127.0.0.1:1/0")
    sessions._client = gone
    assert sessions.find(seen) is not None
    assert sessions.find(begun) is not None
    with pytest.raises(redis.RedisError):
        sessions.find(unseen)
    with pytest.raises(redis.RedisError):
        sessions.end(begun)
    sessions._client = redis.Redis.from_url(site.settings.redis.url)
    assert sessions.find(begun) is None, "it has ended, although Redis still has it"
    sessions._client.close()
    sessions._client = gone
    revoke(site.settings.api.keys_file, record.id)
    assert sessions.find(seen) is None
    gone.close()


def test_a_request_that_changes_nothing_is_never_cross_site() -> None:
    from fastapi import Request

    headers = [(b"sec-fetch-site", b"cross-site"), (b"host", b"x")]
    for method, refused in (("GET", False), ("HEAD", False), ("POST", True), ("DELETE", True)):
        scope = {"type": "http", "method": method, "headers": headers, "scheme": "http", "path": "/"}
        assert (objection(Request(scope)) is not None) is refused


def test_the_field_of_the_key_has_the_focus_without_scripts_too(site: Site) -> None:
    with site.client(None) as client:
        refused = client.post("/console/signin", data={"key": "zlk_wrong"})
        for answer in (client.get("/console/signin"), client.get("/console/models", follow_redirects=True), refused):
            focused = [each for _, each in Outline(answer.text).tags if "autofocus" in each]
            assert [each.get("id") for each in focused] == ["key"], answer.url
