"""What was asked before on the page to classify by hand. It travels in the form; the server keeps nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from zelador.undecodable import UNDECODABLE

MAX_ASKED = 4
MAX_TEXT = 4_000  # characters of one of them
SHOWN_VALUES = 3


class EarlierRow(msgspec.Struct, frozen=True):
    """Values as typed, the answer, and the probability of the positive class if the model has one."""

    model: str
    values: list[str]
    label: str
    share: float | None

    @property
    def text(self) -> str:
        return msgspec.json.encode(self).decode()


def read_rows(texts: Sequence[str], model: str) -> Iterator[EarlierRow]:
    """Yields what was asked of this model, as far as the texts are whole: a browser may send anything."""
    for text in texts[:MAX_ASKED]:
        try:
            found = msgspec.json.decode(text[:MAX_TEXT], type=EarlierRow)
        except UNDECODABLE:
            continue
        if found.model == model:
            yield found
