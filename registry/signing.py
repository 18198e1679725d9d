"""Signatures of the registry's files: HMAC-SHA256 with a key that only Zelador's services have.

A digest proves that a file is the one that was registered; a signature proves that a holder of the key registered it.
The signature is the last key of the JSON object and covers every byte before it, so a check needs no re-encoding.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Literal

from zelador.errors import Corrupt, InvalidInput

Kind = Literal[
    "entry", "manifest", "checkpoint", "passed", "index"
]  # signed too, so that one kind cannot pass for another

END = b"\n}\n"
SIGNATURE = re.compile(rb',\n  "signature": "([A-Za-z0-9_.-]{1,32}):([0-9a-f]{64})"\n}\n\Z')
KEY = re.compile(r"(?:([A-Za-z0-9_.-]{1,32}):)?([0-9a-fA-F]{64,256})")


class Keyring:
    """The signing keys of ZELADOR_REGISTRY__SIGNING_KEY. The first one signs, all of them verify.

    Without keys nothing is signed or checked.
    """

    def __init__(self, keys: Iterable[str] = ()) -> None:
        """Raises InvalidInput; its message never contains a key."""
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
        """`data` (a JSON object, indented by two) with a signature; unchanged when there is no key."""
        if not self._keys:
            return data
        identity = next(iter(self._keys))
        seal = f',\n  "signature": "{identity}:{self._sign(identity, kind, data)}"'
        return data.removesuffix(END) + seal.encode() + END

    def proves(self, kind: Kind, data: bytes) -> bool:
        """True if a known key signed `data`; False if it has no signature or one by an unknown key.

        Raises Corrupt when the signature names a known key and does not match.
        """
        match = SIGNATURE.search(data[-256:])
        if match is None or (identity := match[1].decode()) not in self._keys:
            return False
        body = data[: len(data) - len(match[0])] + END
        if not hmac.compare_digest(self._sign(identity, kind, body), match[2].decode()):
            raise Corrupt(
                f"the signature of key {identity!r} does not match: the data was altered, or the key has changed"
            )
        return True

    def _sign(self, identity: str, kind: Kind, data: bytes) -> str:
        return hmac.new(self._keys[identity], f"zelador {kind}\0".encode() + data, hashlib.sha256).hexdigest()
