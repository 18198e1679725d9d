"""The parts of a page of the console, and a check of those that every page must have."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import httpx


class Fields(HTMLParser):
    """What a browser would send if the form of `action` on this page were submitted as it is."""

    def __init__(self, text: str, action: str) -> None:
        super().__init__()
        self._action, self._is_inside, self._select, self._option = action, False, "", False
        self.sent: dict[str, list[str]] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self._is_inside = given.get("action") == self._action
        if not self._is_inside:
            return
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "select":
            self._select = name
        elif tag == "option" and "selected" in given:
            self.sent[self._select] = [value]
            self._option = "value" not in given  # then its text is sent
        elif tag == "input" and name and (given.get("type") not in ("checkbox", "radio") or "checked" in given):
            self.sent.setdefault(name, []).append(value)

    def handle_data(self, data: str) -> None:
        if self._option:
            self.sent[self._select], self._option = [data], False

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_inside = False


class Outline(HTMLParser):
    """The parts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def links(self) -> set[str]:
        places = (("a", "href"), ("link", "href"), ("script", "src"), ("form", "action"))
        found = {each.get(name) for tag, name in places for each in self.of(tag)}
        return {link for link in found if link}


def shape(answer: httpx.Response) -> Outline:
    """Checks the parts that every page must have."""
    page = Outline(answer.text)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert page.of("html")[0]["lang"] in ("en", "pt-BR")
    assert len(page.of("h1")) == 1, answer.url
    assert page.of("nav")
    assert page.of("main")
    assert page.of("title")
    for tag, attributes in page.tags:
        assert "style" not in attributes, (tag, attributes)
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
    assert not page.of("style")
    for script in page.of("script"):
        assert script.get("src") or script.get("type") == "application/json"
    ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(ids) == len(set(ids)), f"{answer.url}: an id occurs twice: {sorted(i for i in ids if ids.count(i) > 1)}"
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert re.search(r"default-src 'none'; script-src 'nonce-\S{20,}'; style-src 'self'", policy)
    for link in page.links:
        assert not re.match(r"\w+:|//", link), f"{answer.url} links to {link}"
    return page
