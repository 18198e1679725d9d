"""Lua scripts beside Python modules. Each runs as one atomic step inside Redis."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

import redis
from redis.commands.core import Script


def script(client: redis.Redis, package: str, file: str) -> Script:
    """Returns the script in `file` of `package`, to be called with keys and arguments."""
    return client.register_script(_source(package, file))


@lru_cache(maxsize=16)
def _source(package: str, file: str) -> str:
    return resources.files(package).joinpath(file).read_text(encoding="utf-8")
