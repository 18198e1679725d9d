"""The log and its fold: encoding, decoding, and the detection of every modification."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import DuplicateName, ModelNotFound, ModelSelected
from registry.log import entry as log_entry
from registry.log.fold import fold
from registry.log.state import State
from registry.names import check_name
from zelador.errors import Corrupt, InvalidInput, ZeladorError

NAMES = ("a", "b", "c")


def register(name: str) -> dict:
    return {"op": "register", "name": name, "upload": f"u-{name}", "digest": "d", "metadata": {"F1": 0.9}}


def entries(ops: list[dict]) -> list[bytes]:
    """A chain with one entry per operation, of the operations that are allowed."""
    state, chain = State(), []
    for op in [{"op": "create", "registry": "r"}, *ops]:
        entry = log_entry.Entry(state.seq + 1, state.head, f"c{len(chain)}", "now", "me", "", (op,))
        data = log_entry.encode(entry)
        try:
            state = fold(state, entry, log_entry.digest(data))
        except ZeladorError:
            continue
        chain.append(data)
    return chain


def read(chain: list[bytes], state: State | None = None) -> State:
    state = state or State()
    for data in chain:
        entry = log_entry.decode(data, state.seq + 1, state.head)
        state = fold(state, entry, log_entry.digest(data))
    return state


operations = st.lists(
    st.one_of(
        st.sampled_from(NAMES).map(register),
        st.sampled_from(NAMES).map(lambda name: {"op": "select", "name": name}),
        st.sampled_from(NAMES).map(lambda name: {"op": "delete", "name": name}),
        st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)).map(
            lambda pair: {"op": "rename", "name": pair[0], "to": pair[1]}
        ),
        st.sampled_from(NAMES).map(lambda name: {"op": "annotate", "name": name, "metadata": {"note": "x"}}),
    ),
    max_size=20,
)


@given(operations, st.integers(0, 20))
def test_a_fold_that_was_interrupted_equals_the_whole(ops: list[dict], cut: int) -> None:
    chain = entries(ops)
    assert read(chain[cut:], read(chain[:cut])) == read(chain)


@given(operations)
def test_the_selected_model_is_always_there_and_the_history_only_grows(ops: list[dict]) -> None:
    state, sequences = State(), []
    for data in entries(ops):
        state = fold(state, log_entry.decode(data, state.seq + 1, state.head), log_entry.digest(data))
        if state.selection is not None:
            assert state.selection.model in state.models
        sequences.append([selection.sequence for selection in state.history])
    for before, after in pairwise(sequences):
        assert after[: len(before)] == before
    assert sequences[-1] == sorted(set(sequences[-1]))


@given(operations, st.data())
def test_a_changed_removed_or_swapped_entry_is_noticed(ops: list[dict], data: st.DataObject) -> None:
    chain = entries([register("a"), register("b"), *ops])
    at = data.draw(st.integers(0, len(chain) - 2))
    tampered = list(chain)
    match data.draw(st.sampled_from(["change", "remove", "swap"])):
        case "change":
            tampered[at] = tampered[at].replace(b'"by": "me"', b'"by": "you"')
        case "remove":
            del tampered[at]
        case "swap":
            tampered[at], tampered[at + 1] = tampered[at + 1], tampered[at]
    with pytest.raises(Corrupt):
        read(tampered)


def test_operations_that_are_not_allowed_are_refused() -> None:
    state = read(entries([register("a"), register("b"), {"op": "select", "name": "a"}]))

    def apply(op: dict) -> State:
        return fold(state, log_entry.Entry(state.seq + 1, state.head, "c", "now", "me", "", (op,)), "digest")

    with pytest.raises(DuplicateName):
        apply(register("a"))
    with pytest.raises(ModelSelected, match="select another one before you delete it"):
        apply({"op": "delete", "name": "a"})
    with pytest.raises(ModelNotFound):
        apply({"op": "select", "name": "z"})
    with pytest.raises(Corrupt, match="upgrade Zelador"):
        apply({"op": "invented"})
    assert "b" not in apply({"op": "delete", "name": "b"}).models


def test_the_etag_is_of_the_head_not_of_the_number() -> None:
    first = read(entries([register("a")]))
    assert first.etag != read(entries([register("b")])).etag
    assert replace(first, head=None).etag == "seq-"


@pytest.mark.parametrize("name", ["a", "rf_v1_20241029", "A-b.c", "x" * 64, "0"])
def test_good_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a\\b", "../x", ".hidden", "-x", "a..b", "a.", "x" * 65, "é", "a b", "a\n", None]
)
def test_names_that_could_form_a_path_are_refused(name) -> None:
    with pytest.raises(InvalidInput):
        check_name(name)
    with pytest.raises(ValueError, match="is not a name"):
        check_name(name)
