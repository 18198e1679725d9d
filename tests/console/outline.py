"""The parts of a page of the console, and a check of those that every page must have."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import httpx


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
