"""Refuses HTTP redirects: a key or an event is sent only to the address that was set, never to another host."""

from __future__ import annotations

import urllib.request


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A handler for `urllib.request.build_opener`. A redirect becomes an HTTPError."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None
