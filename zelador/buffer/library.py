"""What happens inside Redis, each in one atomic step: a library of functions (Redis 7), else the same as scripts.

Functions are stored and replicated with the data, so that a failover costs no second round trip.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from typing import Any

import redis

log = logging.getLogger(__name__)

SHARED = ("quarantine", "trim", "waiting", "devices", "sequence", "written")  # what the functions have in common
FUNCTIONS = {  # name → the flags of Redis: what it may do when memory is full, or on a replica
    "append": (),
    "settle": ("allow-oom",),  # what is finished must be able to go, or a full Redis stays full
    "measure": ("allow-oom",),  # it may be full of what is to be measured
    "ledger": ("no-writes",),
    "readmit": (),
    "discard": ("allow-oom",),
    "tidy": ("allow-oom",),
    "page": ("no-writes",),
}
ABSENT = ("unknown command", "Unknown Redis command", "NOPERM", "no permissions")  # of FCALL or FUNCTION LOAD


class Library:
    """`call` is one round trip. It begins with functions and goes on with scripts where the server has none for us."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._execute: Any = client.execute_command
        self._scripts: dict[str, Any] | None = None  # None: functions

    @property
    def functions(self) -> bool:
        return self._scripts is None

    def call(self, name: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """What the function returns. Raises redis.RedisError; a call that failed may have been done."""
        if self._scripts is None:
            try:
                return self._function(name, keys, arguments)
            except (redis.ResponseError, redis.exceptions.NoPermissionError) as error:
                if not any(said in str(error) for said in ABSENT):
                    raise
                log.info("this Redis has no functions for us (%s): going on with scripts", error)
                self._scripts = {each: self._client.register_script(script_text(each)) for each in FUNCTIONS}
        return self._scripts[name](keys=keys, args=arguments)

    def _function(self, name: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        version, text = library_text()
        command = (f"zelador_{name}_{version}", len(keys), *keys, *arguments)
        try:
            return self._execute("FCALL", *command)
        except redis.ResponseError as error:
            if "Function not found" not in str(error):
                raise
        self._execute("FUNCTION", "LOAD", "REPLACE", text)
        return self._execute("FCALL", *command)


@lru_cache(maxsize=1)
def library_text() -> tuple[str, str]:
    """Its version (a digest: two versions of Zelador may share a Redis) and the text that FUNCTION LOAD takes."""
    body = "\n".join([*map(_source, SHARED), *map(_wrapped, FUNCTIONS)])
    version = hashlib.sha256(body.encode()).hexdigest()[:10]
    registered = [
        f"redis.register_function{{function_name='zelador_{name}_{version}', callback={name}, "
        f"flags={{{', '.join(repr(flag) for flag in flags)}}}}}"
        for name, flags in FUNCTIONS.items()
    ]
    return version, "\n".join([f"#!lua name=zelador_{version}", body, *registered])


@lru_cache(maxsize=len(FUNCTIONS))
def script_text(name: str) -> str:
    """The same as one script for EVALSHA."""
    return "\n".join([*map(_source, SHARED), _wrapped(name), f"return {name}(KEYS, ARGV)"])


def _wrapped(name: str) -> str:
    return f"local function {name}(KEYS, ARGV)\n{_source(name)}end\n"


def _source(name: str) -> str:
    return resources.files("zelador.buffer").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
