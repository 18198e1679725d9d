"""Refuses a JSON body with a text that cannot be written as UTF-8.

JSON can escape half of a surrogate pair (`"\\ud800"`). Python reads it as a text that nothing can store or send.
"""

from __future__ import annotations

import json

from fastapi import Request
from fastapi.exceptions import RequestValidationError

ESCAPE = b"\\ud"  # every escaped surrogate has it, in one case or the other


async def check_json(request: Request) -> None:
    """Raises RequestValidationError. A body that is not JSON is left to others."""
    if "json" not in request.headers.get("content-type", ""):
        return
    body = await request.body()
    at = body.lower().find(ESCAPE)
    if at < 0:
        return
    try:
        json.dumps(json.loads(body), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        why = "a text has half of a surrogate pair"
        raise RequestValidationError([{"type": "json_invalid", "loc": ("body", at), "msg": why, "input": {}}]) from None
    except (ValueError, RecursionError):
        return
