"""How far a run is, from its events alone: the same for a page that is opened later. And the pages of many runs."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from admin.console.language import language
from admin.console.render import Renderer
from admin.console.runs.page import Progress
from operations.views.run_progress import Step, progress_view, steps_of
from operations.views.run_view import RunView
from operations.views.runs import neighbors
from zelador.training_queue import Run
from zelador.training_queue.event import RunEvent, Standing, Waiting
from zelador.training_queue.stage import AFTER_MORE, COMPARED, CUT_SHORT, MORE, PROMOTING, REGISTERING

NOW = datetime(2026, 11, 24, 12, 0, 10, tzinfo=timezone.utc)
ASKED = Run("20261124_115838-a38d", "running", {"metric": "F1"}, "key 1", NOW.isoformat(), NOW.isoformat())
TESTING = "testing whether there is anything to learn"


def standing(name: str, score: float | None = None) -> Standing:
    return Standing(name, name.upper(), score, None, None, None)


def events() -> list[RunEvent]:
    waits = (Waiting("dt", "DT"), Waiting("rf", "RF"))
    rows = [
        ("started", {}),
        ("candidate_started", {"candidate": standing("lr"), "done": 0, "total": 3, "waiting": waits}),
        ("fold_ended", {"candidate": standing("lr"), "done": 0, "total": 3, "fold": 2, "folds": 5}),
        (
            "candidate_ended",
            {"candidate": standing("lr", 0.5), "done": 1, "total": 3, "leaderboard": (standing("lr", 0.5),)},
        ),
        ("candidate_started", {"candidate": standing("dt"), "done": 1, "total": 3, "waiting": waits[1:]}),
        (
            "fold_ended",
            {"candidate": standing("dt"), "done": 1, "total": 3, "fold": 3, "folds": 5, "time_left_s": 30.0},
        ),
    ]
    return [
        RunEvent(number, f"2026-11-24T12:00:0{number}Z", kind, "", **more)  # type: ignore[arg-type]
        for number, (kind, more) in enumerate(rows, start=1)
    ]


def test_what_ended_is_in_progress_and_waits_is_known_from_the_events() -> None:
    found = progress_view(events(), NOW)
    assert found.steps == (
        Step("lr", "LR", "ended"), Step("dt", "DT", "now", 3, 5), Step("rf", "RF", "waiting"),
    )  # fmt: skip
    assert (found.counted, found.share) == ((1, 3), 1.6)
    assert [each.kind for each in found.listed] == ["started", "candidate_ended"]
    assert [each.id for each in found.leaderboard] == ["lr"]


def test_steps_of_one_kind_in_a_row_are_listed_once() -> None:
    """Tuning reports each try: without this, the newest of them would hide all that happened before."""
    messages = (
        "loading", "tuning LR: 1 settings tried, 9 s left", "tuning RF: 1 settings tried, 8 s left",
        "rebuilding LR (1 of 2)", "rebuilding RF (2 of 2)", "writing",
    )  # fmt: skip
    steps = [
        RunEvent(number, f"2026-11-24T12:00:0{number}Z", "step", message)
        for number, message in enumerate(messages, start=1)
    ]
    listed = progress_view(steps, NOW).listed
    assert [each.message for each in listed] == ["loading", messages[2], messages[4], "writing"]


def test_the_time_left_counts_down_from_the_newest_estimate() -> None:
    assert progress_view(events(), NOW).left_s == 26.0
    assert progress_view(events(), NOW + timedelta(minutes=1)).left_s == -34.0
    assert progress_view(events()[:3], NOW).left_s is None


def ending(*steps: tuple[int, float, str]) -> list[RunEvent]:
    """A run whose candidates have all ended; its steps are (second, time left, message)."""
    last = {"candidate": standing("dummy", 0.0), "done": 2, "total": 2, "time_left_s": 12.0}
    board = (standing("lr", 0.5), standing("dummy", 0.0))
    found = [RunEvent(1, "2026-11-24T12:00:00Z", "candidate_ended", "", leaderboard=board, **last)]  # type: ignore[arg-type]
    for number, (second, left, message) in enumerate(steps, start=2):
        found.append(RunEvent(number, f"2026-11-24T12:00:{second:02d}Z", "step", message, time_left_s=left))
    return found


def test_after_the_last_candidate_the_time_left_does_not_stand_still() -> None:
    """Each of the last steps renews its estimate: the page said 10 s for 20 s."""
    renewed = ending((4, 11.0, "a"), (8, 10.0, "b"), (12, 10.0, "c"))
    assert [progress_view(renewed, NOW + timedelta(seconds=more)).left_s for more in (0, 5, 20)] == [2.0, -3.0, -18.0]


def shown(found: list[RunEvent]) -> Progress:
    view = progress_view(found, NOW)
    return Progress(view, view.counted, 1.0, tuple(reversed(view.listed)))


def test_a_run_can_finish_early_while_a_candidate_would_be_left_out() -> None:
    assert not shown(events()[:3]).may_finish  # none has ended
    assert shown(events()).may_finish
    tunes = (4, 9.0, "tuning LR: 4 settings tried, 9 s left")
    assert not shown(ending((4, 9.0, "rebuilding LR (1 of 1)"))).may_finish
    assert shown(ending(tunes)).may_finish
    assert not shown(ending(tunes, (5, 8.0, "shuffling the rows, for comparison: 1 of 2"))).may_finish
    assert not shown(ending(tunes, (5, 8.0, TESTING), (6, 7.0, "rebuilding LR (1 of 1)"))).may_finish


def test_the_baseline_has_no_rank_and_is_not_first() -> None:
    """Of a run by Recall, whose baseline always says "yes", it was rank 1 and highlighted."""
    board = (standing("dummy", 1.0), standing("lr", 0.5))
    ended = RunEvent(1, "2026-11-24T12:00:00Z", "candidate_ended", "", 1, 3, board[0], (board[0],))
    page = Renderer(language("en", timezone.utc), "")
    for found in ([ended], [ended, replace(ended, number=2, done=2, candidate=board[1], leaderboard=board[::-1])]):
        text = str(page.macro("runs/progress.html", "progress", RunView.of(ASKED), shown(found)))
        rows = re.findall(r"<tr[^>]*><td.*?</tr>", text)
        base = next(row for row in rows if "Baseline" in row)
        assert base.startswith('<tr class="ref"><td class="num quiet"></td>')
        assert [
            row.startswith('<tr class="is-picked"><td class="num quiet">1</td>') for row in rows if row != base
        ] == [True] * (len(rows) - 1)


def test_what_finishing_early_leaves_out_is_what_the_run_tries_now() -> None:
    """While it tuned, the page offered to try all candidates, which had ended."""
    tunes, blends = (4, 9.0, "tuning LR: 4 settings tried, 9 s left"), (5, 1.0, "blending LR, RF")
    page = Renderer(language("en", timezone.utc), "")
    for found, tries, said in (
        (events(), "candidates", "Try all of them"),
        (ending(tunes), "settings", "Go on tuning"),
        (ending(tunes, blends), "combinations", "Try the combinations"),
    ):
        assert shown(found).view.trying == tries
        assert f'data-now="{tries}"' in page.macro("runs/progress.html", "timing", RunView.of(ASKED), shown(found))
        for macro in ("left_out", "going_on"):
            texts = re.findall(r"<[^>]+>[^<]+", str(page.macro("runs/progress.html", macro, tries)))
            assert [f'"{tries}"' in text for text in texts if "hidden" not in text] == [True]
        assert said in [text.partition(">")[2] for text in texts if "hidden" not in text]


def test_a_run_whose_time_was_up_cannot_finish_early_again() -> None:
    """A third of its candidates had ended when its time was up. The button stayed while the best were built, and a
    press made the run fail."""
    late = "the run took longer than 60 s (ZELADOR_TRAINING__TIMEOUT_S)"
    over = RunEvent(8, "2026-11-24T12:00:08Z", "step", f"{late}: {CUT_SHORT}")
    builds = RunEvent(9, "2026-11-24T12:00:09Z", "step", "rebuilding LR (1 of 1)")
    assert not shown([*events(), over]).may_finish
    assert not shown([*events(), over, builds]).may_finish
    died = RunEvent(8, "2026-11-24T12:00:08Z", "step", "a new process continues with the other candidates")
    assert shown([*events(), died]).may_finish


def test_a_run_can_be_canceled_until_its_models_are_registered() -> None:
    built = ending((4, 9.0, "writing the models and their reports"))
    assert shown([]).may_cancel
    assert shown(built).may_cancel
    for step in (REGISTERING, PROMOTING):
        assert not shown([*built, RunEvent(9, "2026-11-24T12:00:09Z", "step", step)]).may_cancel


def test_what_the_trainer_says_decides_whether_candidates_are_left() -> None:
    """The rule reads the messages of the steps, so those that the trainer writes are held here."""
    root = Path(__file__).parents[2] / "trainer" / "run"
    work, more, compared = ((root / f"{name}.py").read_text() for name in ("work", "tuned_and_combined", "compared"))
    assert all(f'say("{begin}' in work or f'say(f"{begin}' in work for begin in AFTER_MORE)
    assert all(f'say(f"{begin}' in more for begin in MORE)
    assert 'say(f"compared {done} of {total} classifiers")' in compared
    assert COMPARED.fullmatch("compared 3 of 15 classifiers")


def test_a_candidate_that_failed_is_marked_and_one_that_a_new_process_takes_is_there_once() -> None:
    died = [
        *events()[:3],
        RunEvent(4, "2026-11-24T12:00:04Z", "candidate_failed", "", candidate=standing("lr")),
        RunEvent(5, "2026-11-24T12:00:05Z", "candidate_started", "", candidate=standing("dt")),
    ]
    assert [(each.id, each.state) for each in steps_of(died)] == [("lr", "failed"), ("dt", "now")]
    assert steps_of([]) == ()


def test_a_candidate_that_was_stopped_did_not_fail_and_has_not_ended() -> None:
    """The baseline comes last and is no candidate."""
    stopped = Standing("dt", "DT", None, None, None, "it was not finished: someone asked the run to finish early")
    waits = (Waiting("dummy", "Dummy"),)
    cut = [
        *events()[:-2],
        RunEvent(5, NOW.isoformat(), "candidate_started", "", 1, 3, standing("dt"), waiting=waits),
        RunEvent(6, NOW.isoformat(), "candidate_failed", "", 1, 3, stopped, (standing("lr", 0.5), stopped)),
    ]
    view = progress_view(cut, NOW)
    assert [(each.id, each.state) for each in view.steps] == [("lr", "ended"), ("dt", "stopped"), ("dummy", "waiting")]
    shown = Progress(view, view.counted, 9.0, (cut[-1],))
    assert shown.ended == (1, 2)
    page = Renderer(language("en", timezone.utc), "")
    said = {
        name: str(page.macro("runs/progress.html", name, RunView.of(ASKED), shown))
        for name in ("heading", "track", "progress")
    }
    assert said["heading"] == "1 of 2 candidates, without the baseline"
    assert "DT was not finished" in said["progress"]
    assert all("Not finished" in said[name] and "ailed" not in said[name] for name in ("track", "progress"))


@given(st.integers(0, 40), st.integers(1, 12))
def test_a_list_of_runs_can_be_walked_to_its_end_and_back(count: int, limit: int) -> None:
    """No run is shown twice or left out on the way, and the way back ends at the newest."""
    ids = [f"20261124_1200{count - place:02d}-aaaa" for place in range(count)]
    seen: list[str] = []
    before: str | None = None
    while True:
        first, earlier, _ = neighbors(ids, limit, before)
        seen += ids[first : first + limit]
        if earlier is None:
            break
        before = earlier
    assert seen == ids
    for _ in range(count + 1):
        _, _, later = neighbors(ids, limit, before)
        if later is None:
            break
        before = later or None
    assert neighbors(ids, limit, before)[0] == 0
    assert neighbors(ids, limit, "2020")[:2] == (count, None)  # before the oldest
