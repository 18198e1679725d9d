"""A bucket as a store, through obstore: S3 and compatible servers, Google Cloud Storage, Azure.

obstore's own retries are off. This module retries requests that may be repeated, with one back-off. It never repeats
`create`: the caller reads the key to learn the outcome.
"""

from __future__ import annotations

import builtins
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from registry.store.sizes import check_size
from registry.store.store import REGISTRY, Item, Purpose, Uncertain, parts_of
from zelador.errors import InvalidInput, Unavailable
from zelador.retry import backoff

SCHEMES = ("s3", "gs", "az", "abfs", "abfss")
TRIES = 8  # of a repeatable request: about five seconds of back-off
FIRST_S, CAP_S = 0.05, 2.0
PAGE_KEYS = 1_000  # keys per request of a listing

T = TypeVar("T")


class Bucket:
    def __init__(
        self,
        url: str,
        options: Mapping[str, str],
        timeout_s: float,
        wait: Callable[[float], None] = time.sleep,
        purpose: Purpose = REGISTRY,
    ) -> None:
        """`options` are obstore's (region, endpoint, …). Raises InvalidInput. Makes no request."""
        from obstore.store import from_url

        self.url = url.rstrip("/")
        self._wait = wait
        self._purpose = purpose
        plain = options.get("endpoint", "").startswith("http://")
        client: dict[str, Any] = {
            "timeout": timedelta(seconds=timeout_s),
            "connect_timeout": timedelta(seconds=min(timeout_s, 5.0)),
            "allow_http": plain,
        }
        try:
            make: Any = from_url  # its overloads need the kind of bucket, which is known only at run time
            self._bucket: Any = make(url, config=dict(options), client_options=client, retry_config={"max_retries": 0})
        except Exception as error:  # noqa: BLE001 - obstore raises many classes, and all of them mean "not a bucket"
            raise InvalidInput(f"{purpose.setting}={url!r} cannot be used as a bucket ({_short(error)})") from None

    def __repr__(self) -> str:
        return f"Bucket({self.url!r})"

    def create(self, key: str, data: bytes) -> bool:
        import obstore
        from obstore import exceptions as ex

        parts_of(key)
        try:
            obstore.put(self._bucket, key, data, mode="create")
        except ex.AlreadyExistsError:
            return False
        except (ex.PermissionDeniedError, ex.UnauthenticatedError, ex.NotFoundError, FileNotFoundError) as error:
            raise self._cannot("written", error) from None
        except (ex.BaseError, OSError, ValueError) as error:
            raise Uncertain(f"{self.url}/{key}: it is unknown whether it was written ({_short(error)})") from None
        return True

    def read(self, key: str) -> bytes | None:
        import obstore
        from obstore.exceptions import NotFoundError

        def get() -> bytes | None:
            try:
                found = obstore.get(self._bucket, key)
                check_size(key, found.meta["size"])  # before a byte of it is read
                return bytes(found.bytes())
            except (NotFoundError, FileNotFoundError):
                return None

        parts_of(key)
        return self._repeat("read", get)

    def list(self, prefix: str, after: str = "") -> Iterator[Item]:
        """Lists page by page. A page that fails is requested again, from the last key received."""
        import obstore

        parts_of(prefix)
        while True:

            def page(offset: str = after) -> builtins.list[Item]:
                pages = obstore.list(self._bucket, f"{prefix}/", offset=offset or None, chunk_size=PAGE_KEYS)
                return [Item(meta["path"], meta["last_modified"].timestamp()) for meta in next(iter(pages), [])]

            items = self._repeat("read", page)
            if not items:
                return
            yield from items
            after = items[-1].key

    def put_stream(self, key: str, pieces: Iterable[bytes]) -> None:
        """Writes without `mode="create"`, which would hold the whole object in memory: no other writer uses the key."""
        import obstore

        parts_of(key)
        parts = pieces if isinstance(pieces, builtins.list | tuple) else builtins.list(pieces)
        # A single piece is sent in one request unless it is large; an iterator always as a multipart upload.
        self._repeat("written", lambda: obstore.put(self._bucket, key, parts[0] if len(parts) == 1 else iter(parts)))

    def copy(self, source: str, key: str) -> None:
        """Copies inside the bucket; the bytes are not downloaded."""
        import obstore

        parts_of(source)
        parts_of(key)
        self._repeat("written", lambda: obstore.copy(self._bucket, source, key))

    def replace(self, key: str, data: bytes) -> None:
        self.put_stream(key, [data])

    def delete(self, key: str) -> None:
        import obstore
        from obstore.exceptions import NotFoundError

        def remove() -> None:
            try:
                obstore.delete(self._bucket, key)
            except (NotFoundError, FileNotFoundError):
                return

        parts_of(key)
        self._repeat("written", remove)

    def where(self, key: str) -> str:
        parts_of(key)
        return f"{self.url}/{key}"

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _repeat(self, what: str, act: Callable[[], T]) -> T:
        from obstore import exceptions

        for attempt in range(1, TRIES + 1):
            try:
                return act()
            except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
                raise self._cannot(what, error) from None
            except (exceptions.BaseError, OSError, ValueError) as error:
                if attempt == TRIES:
                    raise self._cannot(what, error) from None
            self._wait(backoff(attempt, first=FIRST_S, cap=CAP_S))
        raise AssertionError("unreachable")

    def _cannot(self, what: str, error: Exception) -> Unavailable:
        return Unavailable(
            f"the {self._purpose.noun}'s bucket {self.url} cannot be {what} ({_short(error)}); check its address, its "
            f"permissions and the network, or set another one with {self._purpose.setting}"
        )


def _short(error: Exception) -> str:
    """The first line of the message: obstore appends its internal Rust structure."""
    return str(error).split("\n", 1)[0][:300]
