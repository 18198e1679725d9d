"""Signatures of what the registry writes: HMAC-SHA256 under a key that only our services have.

A digest says that a file is the one that was registered; a signature, that one of us registered it. It is the last
key of the JSON object and covers every byte before it, so nothing has to be encoded again to be checked.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Literal

from zelador.errors import Corrupt, InvalidInput

Kind = Literal["entry", "manifest", "checkpoint", "passed"]  # part of what is signed: one can never pass for another

END = b"\n}\n"
SIGNATURE = re.compile(rb',\n  "signature": "([A-Za-z0-9_.-]{1,32}):([0-9a-f]{64})"\n}\n\Z')
KEY = re.compile(r"(?:([A-Za-z0-9_.-]{1,32}):)?([0-9a-fA-F]{64,256})")


class Keyring:
    """`keys` as in ZELADOR_REGISTRY__SIGNING_KEY: the first signs, all verify; none: nothing is signed or checked."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        """Raises InvalidInput, which never shows a key."""
        self._keys: dict[str, bytes] = {}
        for text in keys:
            match = KEY.fullmatch(text)
            if match is None or len(match[2]) % 2:
                raise InvalidInput("ZELADOR_REGISTRY__SIGNING_KEY: each key is [id:] and 64 or more hex digits")
            secret = bytes.fromhex(match[2])
            identity = match[1] or hashlib.sha256(secret).hexdigest()[:8]
            if identity in self._keys:
                raise InvalidInput(f"ZELADOR_REGISTRY__SIGNING_KEY: two keys have the id {identity!r}")
            self._keys[identity] = secret

    def __bool__(self) -> bool:
        return bool(self._keys)

    def seal(self, kind: Kind, data: bytes) -> bytes:
        """`data` (a JSON object, indented by two) with our signature; as it is when there is no key."""
        if not self._keys:
            return data
        identity = next(iter(self._keys))
        seal = f',\n  "signature": "{identity}:{self._sign(identity, kind, data)}"'
        return data.removesuffix(END) + seal.encode() + END

    def proves(self, kind: Kind, data: bytes) -> bool:
        """Whether a key of ours signed `data`; False when nobody did, or a key that we do not have.

        Raises Corrupt when the signature names a key of ours and does not match.
        """
        match = SIGNATURE.search(data[-256:])
        if match is None or (identity := match[1].decode()) not in self._keys:
            return False
        body = data[: len(data) - len(match[0])] + END
        if not hmac.compare_digest(self._sign(identity, kind, body), match[2].decode()):
            raise Corrupt(f"the signature of key {identity!r} does not match: it was altered, or the key is another")
        return True

    def _sign(self, identity: str, kind: Kind, data: bytes) -> str:
        return hmac.new(self._keys[identity], f"zelador {kind}\0".encode() + data, hashlib.sha256).hexdigest()
