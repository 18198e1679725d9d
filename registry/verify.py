"""Verification of a registry: checks every log entry and every file of every model, and asks the models.

Trusts no derived file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from registry import index
from registry.errors import ModelNotFound
from registry.log import checkpoint
from registry.log import entry as log_entry
from registry.log.follow import Follower
from registry.log.state import State, etag
from registry.model import golden
from registry.model.artifact import serving_file
from registry.model.manifest import Manifest
from registry.model.payload import FOLDER, Payload, folder
from registry.signing import Keyring
from registry.store import Store
from zelador.errors import Corrupt
from zelador.undecodable import UNDECODABLE


@dataclass(frozen=True, slots=True)
class Finding:
    """A result of the verification. `fault`: it needs action; otherwise it is only a note, such as a stray file."""

    where: str
    what: str
    fault: bool = True


@dataclass(frozen=True, slots=True)
class Report:
    etag: str
    entries: int
    models: int
    files: int  # number of files whose digest was checked
    asked: int  # number of models that were loaded and answered their golden rows
    findings: tuple[Finding, ...]

    @property
    def whole(self) -> bool:
        return not any(finding.fault for finding in self.findings)


Ask = Callable[[Manifest, str, Mapping[str, bytes]], None]


def verify(
    store: Store, keyring: Keyring, derived: index.Index, expect: str | None = None, ask: Ask | None = None
) -> Report:
    """Verifies the registry in `store`.

    `ask` loads a model from its files, and raises ModelRefused unless it answers its golden rows.

    `expect` is an ETag seen earlier, which must be in the chain. Without it, a log that lost its newest entries
    verifies, and so does another registry's.
    """
    findings: list[Finding] = []
    chain = _Chain(store, keyring)
    try:
        chain.sync()
    except Corrupt as error:
        findings.append(Finding(log_entry.FOLDER, str(error)))
        return Report(etag(chain.state.head), chain.state.seq, len(chain.state.models), 0, 0, tuple(findings))
    state = chain.state
    if expect is not None and expect.strip('"') not in {etag(digest) for digest in chain.digests}:
        findings.append(
            Finding(
                log_entry.FOLDER,
                f"the entry last seen ({expect}) is missing: the log lost entries, or belongs to another registry",
            )
        )
    findings += _strays(store, state)
    files = asked = 0
    payload = Payload(store, keyring)
    for model in state.models.values():
        where = folder(model)
        try:
            manifest = payload.manifest(model, state.trusted)
            content: dict[str, bytes] = {}
            for path in manifest.files:
                data = payload.file(model, manifest, path)
                files += 1
                if path in (serving_file(manifest), golden.FILE):
                    content[path] = data
            if ask is not None:
                ask(manifest, model.digest, content)
                asked += 1
        except (Corrupt, ModelNotFound) as error:
            findings.append(Finding(where, str(error)))
    findings += _checkpoints(store, keyring, chain)
    try:
        found = store.read(index.FILE)
    except Corrupt:
        found = b""
    if found is None or _parsed(found) != _parsed(derived.render(state)):
        problem = "is missing" if found is None else "does not match the log"
        findings.append(Finding(index.FILE, f"{problem}; the next start or change writes it", fault=False))
    findings += _uploads(store, state)
    return Report(state.etag, state.seq, len(state.models), files, asked, tuple(findings))


class _Chain(Follower):
    """The log read from its first entry, with the digest of every entry."""

    def __init__(self, store: Store, keyring: Keyring) -> None:
        super().__init__(store, keyring, from_zero=True)
        self.digests: list[str] = []

    def _passed(self, entries: Sequence[tuple[log_entry.Entry, str]]) -> None:
        self.digests += [digest for _, digest in entries]

    def state_at(self, seq: int) -> State:
        return Follower(self._store, self._keyring, from_zero=True, lenient=True).read_to(seq)


def _strays(store: Store, state: State) -> Iterator[Finding]:
    for item in store.list(log_entry.FOLDER):
        name = item.key.removeprefix(f"{log_entry.FOLDER}/")
        if not log_entry.FILE.match(name):
            yield Finding(item.key, "is not a log entry and is not read", fault=False)
        elif int(name[:8]) > state.seq:
            yield Finding(item.key, f"comes after a gap: entry {state.seq + 1} is missing")


def _checkpoints(store: Store, keyring: Keyring, chain: _Chain) -> Iterator[Finding]:
    for seq in checkpoint.numbers(store):
        data = checkpoint.whole(store, seq)
        found = checkpoint.decode(data, keyring) if data is not None else None
        if found is None:
            yield Finding(checkpoint.key(seq), "is damaged or not signed; it is not read and can be removed", False)
        elif seq > chain.state.seq or found != chain.state_at(seq):
            yield Finding(checkpoint.key(seq), "does not match the log; remove it")


def _uploads(store: Store, state: State) -> Iterator[Finding]:
    registered = {model.payload for model in state.models.values()}
    seen: set[str] = set()
    for item in store.list(FOLDER):
        key = "/".join(item.key.split("/")[1:3])
        if key not in registered and key not in seen:
            seen.add(key)
            status = "is condemned" if key in state.condemned else "is not registered"
            yield Finding(f"{FOLDER}/{key}", f"{status}; a collection removes it after the grace period", fault=False)


def _parsed(data: bytes) -> object:
    try:
        return msgspec.json.decode(data)
    except UNDECODABLE:
        return None
