"""A state machine of two writers that change a registry and crash. The registry's guarantees hold after every step."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from registry.errors import DuplicateName, ModelNotFound, ModelSelected
from registry.log import checkpoint
from registry.log.follow import Follower
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
    """The expected state. A model is identified by the token in its files, because its name can change."""

    uploads = Bundle("uploads")  # payloads that are written but not registered

    @initialize(signed=st.booleans())
    def begin(self, signed: bool) -> None:
        self.store = Memory()
        self.settings = RegistrySettings(grace_s=GRACE_S, signing_key="ab" * 32 if signed else "")
        self.writers = [self.open(), self.open()]
        self.models: dict[str, str] = {}  # name: token
        self.notes: dict[str, set[str]] = {}
        self.selected: str | None = None  # a token, as in `earlier`
        self.earlier: list[str] = []
        self.sequences: list[int] = []
        self.step = 0
        for name in NAMES[:3]:  # otherwise most steps would be about models that do not exist
            self.register(0, name)

    def open(self) -> Registry:
        return Registry.on(self.store, self.settings)

    def save(self, who: int, name: str, token: str) -> None:
        files = files_of(token)
        self.writers[who].add(name, files, manifest_of(name, files), by=str(who), why=token)

    def token(self) -> str:
        self.step += 1
        return f"t{self.step}"

    def registered(self, name: str, token: str) -> None:
        self.models[name], self.notes[name] = token, set()

    def back(self) -> str | None:
        """The current name of the model that rolling back must select."""
        called = {token: name for name, token in self.models.items() if token != self.selected}
        return next((called[token] for token in reversed(self.earlier) if token in called), None)

    # ── what people and jobs do ──────────────────────────────────────────────────────────────

    @rule(who=writers, name=names)
    def register(self, who: int, name: str) -> None:
        token = self.token()
        if name in self.models:
            with pytest.raises(DuplicateName):
                self.save(who, name, token)
        else:
            self.save(who, name, token)
            self.registered(name, token)

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
        if self.selected not in (None, self.models[name]):
            self.earlier.append(self.selected)
        self.selected = self.models[name]

    @rule(who=writers)
    def roll_back(self, who: int) -> None:
        back = self.back()
        if back is None:
            with pytest.raises(Conflict):
                self.writers[who].roll_back(by=str(who))
            return
        found = self.writers[who].roll_back(by=str(who))
        assert found.model == back
        self.selected = self.models[back]
        while self.earlier.pop() != self.selected:
            pass
        self.sequences.append(found.sequence)

    @rule(who=writers, name=names, at_once=st.booleans())
    def delete(self, who: int, name: str, at_once: bool) -> None:
        if name not in self.models:
            with pytest.raises(ModelNotFound):
                self.writers[who].delete(name, by=str(who))
        elif self.models[name] == self.selected:
            with pytest.raises(ModelSelected):
                self.writers[who].delete(name, by=str(who))
        else:
            self.writers[who].delete(name, by=str(who), files_at_once=at_once)
            del self.notes[name]
            del self.models[name]

    @rule(who=writers, name=names, to=names, end=st.sampled_from(("told", "lost", "dead")))
    def rename(self, who: int, name: str, to: str, end: str) -> None:
        writer = self.writers[who]
        refused = (
            ModelNotFound if name not in self.models
            else ModelSelected if self.models[name] == self.selected and to != name
            else DuplicateName if to in self.models and to != name
            else None
        )  # fmt: skip
        if refused is not None:
            with pytest.raises(refused):
                writer.rename(name, to, by=str(who))
            return
        before = writer.sync().seq
        if end == "dead" and to != name:
            self.store.crash_after_entry = True
            with pytest.raises(Crash):
                writer.rename(name, to, by=str(who))
            self.writers[who] = self.open()
        else:
            self.store.lose_answer = end == "lost"
            assert writer.rename(name, to, by=str(who)).name == to
            self.store.lose_answer = False
        assert self.writers[who].sync().seq == before + (to != name)
        if to != name:
            self.models[to], self.notes[to] = self.models.pop(name), self.notes.pop(name)

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
        """The writer crashes before it gets the result; the entry counts."""
        token = self.token()
        self.store.crash_after_entry = True
        with contextlib.suppress(Crash, DuplicateName):
            self.save(who, name, token)
        self.store.crash_after_entry = False
        if name not in self.models:
            self.registered(name, token)
        self.writers[who] = self.open()

    @rule(target=uploads, who=writers, name=names)
    def upload(self, who: int, name: str):
        token = self.token()
        files = files_of(token)
        return who, name, token, self.writers[who]._payload.put(name, files, manifest_of(name, files))

    @rule(upload=consumes(uploads))
    def register_an_old_upload(self, upload) -> None:
        """A delayed save: it must fail if its files were condemned meanwhile."""
        who, name, token, placed = upload
        op = {"op": "register", "name": name, "upload": placed.upload, "digest": placed.digest, "metadata": {}}
        try:
            self.writers[who]._commit([op], str(who), "late")
        except Conflict:
            return
        self.registered(name, token)

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
        assert (self.models[state.selection.model] if state.selection else None) == self.selected
        if (back := self.back()) is not None:
            assert state.previous() == back
        else:
            with pytest.raises(Conflict):
                state.previous()
        assert [selection.sequence for selection in state.history] == self.sequences
        assert self.sequences == sorted(set(self.sequences))
        assert Follower(self.store, self.writers[0]._keyring).sync() == state  # from a checkpoint, if there is one
        for registry in self.writers:
            assert registry.sync() == state

    @invariant()
    def no_model_is_half_there(self) -> None:
        report = self.writers[0].verify()
        assert [finding for finding in report.findings if finding.fault and "checkpoints" not in finding.where] == []
        derived = json.loads(self.store.objects["registry.json"][0])
        assert set(derived) == set(self.models)
        for name, token in self.models.items():
            own = files_of(token)["model.skops"]
            for registry in self.writers:
                assert registry.file(name, "model.skops") == own
                assert registry.manifest(name).name == name
            assert self.store.objects[derived[name]["path"].removeprefix("memory/")][0] == own


@pytest.fixture(autouse=True)
def _checkpoints_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "MIN_TAIL", 4)


class TestTwoWriters(TwoWriters.TestCase):
    settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
