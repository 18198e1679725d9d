"""The atomic operations inside Redis: a library of functions (Redis 7), or the same code as scripts.

Functions are stored and replicated with the data, so that no second round trip is needed after a failover.
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

SHARED = (
    "quarantine",
    "archive",
    "trim",
    "waiting",
    "devices",
    "sequence",
    "repeats",
    "written",
    "alarms",
)  # by several functions
FUNCTIONS = {  # name → flags of Redis: what is allowed when memory is full, or on a replica
    "append": (),
    "assemble": (),
    "settle": ("allow-oom",),  # otherwise a full Redis could not settle entries, and would stay full
    "measure": ("allow-oom",),  # Redis may be full of the data to be measured
    "ledger": ("no-writes",),
    "readmit": (),
    "discard": ("allow-oom",),
    "tidy": ("allow-oom",),
    "page": ("no-writes",),
    "sweep": ("allow-oom",),
    "device_act": ("allow-oom",),
    "announced": ("allow-oom",),
    "announcing": ("allow-oom",),
    "label": (),
    "unlabel": ("allow-oom",),
    "archive_begin": ("allow-oom",),
    "archive_done": ("allow-oom",),
    "archive_rewind": ("allow-oom",),
    "archive_end": ("allow-oom",),
}
ABSENT = ("unknown command", "Unknown Redis command", "NOPERM", "no permissions")  # of FCALL or FUNCTION LOAD


class Library:
    """Calls the Lua steps, in one round trip each. Uses functions, or scripts if functions are not available."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._execute: Any = client.execute_command
        self._scripts: dict[str, Any] | None = None  # None: functions

    @property
    def functions(self) -> bool:
        return self._scripts is None

    def call(self, name: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """The result of the function. Raises redis.RedisError; a failed call may have been executed."""
        if self._scripts is None:
            try:
                return self._function(name, keys, arguments)
            except (redis.ResponseError, redis.exceptions.NoPermissionError) as error:
                if not any(said in str(error) for said in ABSENT):
                    raise
                log.info("this Redis does not allow functions (%s): using scripts", error)
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
    """The library's version (a digest: two versions of Zelador may share a Redis) and the text for FUNCTION LOAD."""
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
    """One operation as a script for EVALSHA."""
    used = [_wrapped("append")] if name == "assemble" else []
    return "\n".join([*map(_source, SHARED), *used, _wrapped(name), f"return {name}(KEYS, ARGV)"])


def _wrapped(name: str) -> str:
    return f"local function {name}(KEYS, ARGV)\n{_source(name)}end\n"


def _source(name: str) -> str:
    return resources.files("zelador.buffer").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
