"""Why `zelador watch` shows nothing: one sentence, with what to do."""

from __future__ import annotations

import pytest

from command.silence import Report, look, reason
from zelador.settings import Settings

LIVE = ({"service": "inference", "model": "rf"},)
IDLE = ({"service": "inference", "model": ""},)
REFUSING = ({"service": "inference", "model": "", "reason": "its features are humidity"},)


@pytest.mark.parametrize(
    ("now", "device", "says"),
    [
        (Report(trouble="Redis at x does not answer"), None, "cannot tell why: Redis at x"),
        (Report(), None, "no ingester is running"),
        (
            Report(ingesters=1, workers=LIVE),
            None,
            "no reading arrives (none so far): devices have to publish on",
        ),
        (Report(ingesters=1, waiting=1, workers=IDLE), None, "1 reading waits: no model is selected"),
        (Report(ingesters=1, received=4, quarantined=4), None, "4 messages arrived and are all in quarantine"),
        (Report(ingesters=1, received=4, waiting=4), None, "4 readings wait: no inference worker is running"),
        (Report(ingesters=1, received=4, waiting=4, workers=IDLE), None, "no model is selected"),
        (Report(ingesters=1, received=4, waiting=4, workers=REFUSING), None, "its features are humidity"),
        (
            Report(ingesters=1, received=4, waiting=4, workers=LIVE),
            None,
            "4 readings wait and none is classified",
        ),
        (Report(ingesters=1, received=4, classified=4, workers=LIVE), "x", "none of the device x"),
        (Report(ingesters=1, received=4, classified=4, workers=LIVE), None, "may not read sensors/+/prediction"),
    ],
)
def test_the_first_thing_that_is_missing_is_named(now: Report, device: str | None, says: str) -> None:
    assert says in reason(Report(), now, Settings(), device)


def test_a_redis_that_does_not_answer_is_an_answer() -> None:
    found = look(Settings(redis={"url": "redis://:secret@127.0.0.1:1/0"}))
    assert found.trouble is not None
    assert "redis://:***@127.0.0.1:1" in found.trouble
    assert "secret" not in found.trouble
