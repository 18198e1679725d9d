"""What the pages say of the values in training."""

from __future__ import annotations

from datetime import timezone

import pytest

from admin.console.language import language
from admin.console.render import Renderer
from admin.console.seen import seen_in
from operations.views.models import FeatureRow
from operations.views.report import Range


@pytest.mark.parametrize(
    ("seen", "in_english", "in_portuguese"),
    [
        (
            Range(0.25, 3.14, p1=0.33, median=1.0, p99=2.75),
            "98% of training: 0.33–\N{WORD JOINER}2.75",
            "98% do treinamento: 0,33–\N{WORD JOINER}2,75",
        ),
        (
            Range(0.25, 3.14),
            "all of training: 0.25–\N{WORD JOINER}3.14",
            "todo o treinamento: 0,25–\N{WORD JOINER}3,14",
        ),
    ],
)
def test_a_range_of_training_says_how_much_of_it_is_meant(seen: Range, in_english: str, in_portuguese: str) -> None:
    """The overview had the middle 98 % as what training saw, and the page to classify by hand had all of it."""
    known = seen_in([FeatureRow("vibration", "g", seen)], None)
    for tag, said in (("en", in_english), ("pt-BR", in_portuguese)):
        page = Renderer(language(tag, timezone.utc), "")
        is_whole = "vibration" in known.whole
        assert page.macro("shell/parts.html", "training_range", known.usual["vibration"], is_whole) == said
