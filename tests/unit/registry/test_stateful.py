"""Two writers, whatever they do, whichever of them dies: what the registry promises holds after every step."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from registry import checkpoint
from registry.errors import DuplicateName, ModelNotFound, ModelSelected
from registry.follow import Follower
from registry.registry import Registry
from tests.memory_store import Crash, Memory
from tests.registry_writers import files_of, manifest_of
from zelador.errors import Conflict
from zelador.settings import RegistrySettings

GRACE_S = 60.0
NAMES = ("a", "b", "c", "d")

names = st.sampled_from(NAMES)
writers = st.sampled_from((0, 1))


class TwoWriters(RuleBasedStateMachine):
    """`models`, `notes`, `selected` and `earlier` are what must be there: a model of the registry, in four values."""

    uploads = Bundle("uploads")  # payload that is written and whose entry is not

    @initialize(signed=st.booleans())
    def begin(self, signed: bool) -> None:
        self.store = Memory()
        self.settings = RegistrySettings(grace_s=GRACE_S, signing_key="ab" * 32 if signed else "")
        self.writers = [self.open(), self.open()]
        self.models: dict[str, str] = {}
        self.notes: dict[str, set[str]] = {}
        self.selected: str | None = None
        self.earlier: list[str] = []
        self.sequences: list[int] = []
        self.step = 0

    def open(self) -> Registry:
        return Registry.on(self.store, self.settings)

    def save(self, who: int, name: str, token: str) -> None:
        files = files_of(token)
        self.writers[who].add(name, files, manifest_of(name, files), by=str(who), why=token)

    def token(self) -> str:
        self.step += 1
        return f"t{self.step}"

    # ── what people and jobs do ──────────────────────────────────────────────────────────────

    @rule(who=writers, name=names)
    def register(self, who: int, name: str) -> None:
        token = self.token()
        if name in self.models:
            with pytest.raises(DuplicateName):
                self.save(who, name, token)
        else:
            self.save(who, name, token)
            self.models[name], self.notes[name] = token, set()

    @rule(who=writers, name=names, lost=st.booleans())
    def annotate(self, who: int, name: str, lost: bool) -> None:
        token = self.token()
        self.store.lose_answer = lost
        if name not in self.models:
            with pytest.raises(ModelNotFound):
                self.writers[who].annotate(name, {token: 1}, by=str(who))
        else:
            self.writers[who].annotate(name, {token: 1}, by=str(who))
            self.notes[name].add(token)
        self.store.lose_answer = False

    @rule(who=writers, name=names, lost=st.booleans())
    def select(self, who: int, name: str, lost: bool) -> None:
        if name not in self.models:
            with pytest.raises(ModelNotFound):
                self.writers[who].select(name, by=str(who))
            return
        self.store.lose_answer = lost
        self.sequences.append(self.writers[who].select(name, by=str(who)).sequence)
        if self.selected not in (None, name):
            self.earlier.append(self.selected)
        self.selected = name

    @rule(who=writers)
    def roll_back(self, who: int) -> None:
        while self.earlier and (self.earlier[-1] not in self.models or self.earlier[-1] == self.selected):
            self.earlier.pop()
        if not self.earlier:
            with pytest.raises(Conflict):
                self.writers[who].roll_back(by=str(who))
            return
        found = self.writers[who].roll_back(by=str(who))
        self.selected = self.earlier.pop()
        assert found.model == self.selected
        self.sequences.append(found.sequence)

    @rule(who=writers, name=names, at_once=st.booleans())
    def delete(self, who: int, name: str, at_once: bool) -> None:
        if name not in self.models:
            with pytest.raises(ModelNotFound):
                self.writers[who].delete(name, by=str(who))
        elif name == self.selected:
            with pytest.raises(ModelSelected):
                self.writers[who].delete(name, by=str(who))
        else:
            self.writers[who].delete(name, by=str(who), files_at_once=at_once)
            del self.models[name], self.notes[name]

    @rule(who=writers, after_the_grace=st.booleans())
    def collect(self, who: int, after_the_grace: bool) -> None:
        self.writers[who].collect(by=str(who), grace_s=-1.0 if after_the_grace else GRACE_S)

    # ── what goes wrong ──────────────────────────────────────────────────────────────────────

    @rule(who=writers, name=names)
    def die_between_payload_and_entry(self, who: int, name: str) -> None:
        self.store.crash_before_entry = True
        with contextlib.suppress(Crash, DuplicateName):
            self.save(who, name, self.token())
        self.store.crash_before_entry = False
        self.writers[who] = self.open()

    @rule(who=writers, name=names)
    def die_after_the_entry(self, who: int, name: str) -> None:
        """Nobody was told; it holds all the same."""
        token = self.token()
        self.store.crash_after_entry = True
        with contextlib.suppress(Crash, DuplicateName):
            self.save(who, name, token)
        self.store.crash_after_entry = False
        if name not in self.models:
            self.models[name], self.notes[name] = token, set()
        self.writers[who] = self.open()

    @rule(target=uploads, who=writers, name=names)
    def upload(self, who: int, name: str):
        files = files_of(self.token())
        return who, name, self.writers[who]._payload.put(name, files, manifest_of(name, files))

    @rule(upload=consumes(uploads))
    def register_an_old_upload(self, upload) -> None:
        """As a save that slept: it must not land when its files were given up."""
        who, name, placed = upload
        op = {"op": "register", "name": name, "upload": placed.upload, "digest": placed.digest, "metadata": {}}
        try:
            self.writers[who]._commit([op], str(who), "late")
        except Conflict:
            return
        self.models[name], self.notes[name] = "late", set()

    @rule(who=writers)
    def damage_what_is_derived(self, who: int) -> None:
        for key in [key for key in self.store.objects if key.startswith("checkpoints/")]:
            self.store.objects[key] = (b"damaged", 0.0)
        self.store.delete("registry.json")
        self.writers[who] = self.open()

    # ── what is promised ─────────────────────────────────────────────────────────────────────

    @invariant()
    def everything_acknowledged_is_there_once(self) -> None:
        state = Follower(self.store, self.writers[0]._keyring, from_zero=True).sync()
        assert set(state.models) == set(self.models)
        for name, notes in self.notes.items():
            assert {key for key in state.models[name].metadata if key.startswith("t")} == notes
        assert (state.selection.model if state.selection else None) == self.selected
        assert [selection.sequence for selection in state.history] == self.sequences
        assert self.sequences == sorted(set(self.sequences))
        assert Follower(self.store, self.writers[0]._keyring).sync() == state  # from a checkpoint, if there is one
        for registry in self.writers:
            assert registry.sync() == state

    @invariant()
    def no_model_is_half_there(self) -> None:
        report = self.writers[0].verify()
        assert [finding for finding in report.findings if finding.fault and "checkpoints" not in finding.where] == []
        assert set(json.loads(self.store.objects["registry.json"][0])) == set(self.models)


@pytest.fixture(autouse=True)
def _checkpoints_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "LEAST_TAIL", 4)


class TestTwoWriters(TwoWriters.TestCase):
    settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
