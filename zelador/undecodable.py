"""What a decoder of msgspec raises for bytes from outside: text that is not UTF-8 is not one of its own errors."""

from __future__ import annotations

import msgspec

UNDECODABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
