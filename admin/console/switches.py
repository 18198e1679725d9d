"""The switches of the shell: language and theme, each kept in a cookie."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, Response

from admin.access.roles import open_to_anyone
from admin.console.language import COOKIE, TAGS
from admin.console.page import go, pages
from admin.console.visitor import THEME_COOKIE, THEMES, Visiting, own_path

router = pages("")

YEAR_S = 365 * 86_400


@router.post("/language", **open_to_anyone())
def choose_language(
    visitor: Visiting,
    language: Annotated[str, Form(max_length=10)],
    next: Annotated[str, Form()] = "",  # noqa: A002
) -> Response:
    return _kept(visitor.is_secure, next, COOKIE, language if language in TAGS else TAGS[0])


@router.post("/theme", **open_to_anyone())
def choose_theme(
    visitor: Visiting,
    theme: Annotated[str, Form(max_length=10)] = "",
    next: Annotated[str, Form()] = "",  # noqa: A002
) -> Response:
    return _kept(visitor.is_secure, next, THEME_COOKIE, theme if theme in THEMES else "")


def _kept(is_secure: bool, path: str, name: str, value: str) -> Response:
    response = go(own_path(path))
    response.set_cookie(name, value, max_age=YEAR_S, path="/console", secure=is_secure, httponly=True, samesite="lax")
    return response


ROUTERS = (router,)
