"""The queue's Lua scripts. Each is one atomic step inside Redis."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

import redis
from redis.commands.core import Script


def script(client: redis.Redis, name: str) -> Script:
    """`lua/<name>.lua`, to be called with keys and arguments."""
    return client.register_script(_source(name))


@lru_cache(maxsize=8)
def _source(name: str) -> str:
    return resources.files("zelador.training_queue").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
