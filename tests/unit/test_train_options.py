"""Options of `zelador train` that cannot mean anything are refused by name, before a row is read or a run begins."""

from pathlib import Path

import numpy as np
import pytest

from command.train import MAX_NOTES, _settings_with, train
from command.train_data import check_chosen
from trainer.dataset import Dataset
from zelador.errors import InvalidInput
from zelador.settings import load_settings

TABLE = Path("there-is-no-such.csv")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"features": ","}, "--features: it names nothing"),
        ({"classes": ""}, "--classes: it names nothing"),
        ({"devices": " , "}, "--devices: it names nothing"),
        ({"include": ","}, "--include: it names nothing"),
        ({"candidates": ""}, "--candidates: it names nothing"),
        ({"exclude": ","}, "--exclude: it names nothing"),
        ({"names": ","}, "--names: it names nothing"),
        ({"include": "lr", "candidates": "rf"}, "--include and --candidates are the same"),
        ({"repeat": "20260101_000000-abcd"}, "--repeat cannot be used with --csv"),
        ({"key": "zk_1"}, "--key requires --url"),
        ({"notes": "x" * (MAX_NOTES + 1)}, "--notes: 2001 characters; at most 2000"),
        ({"csv": None, "label": "state"}, "--label requires --csv"),
        ({"csv": None, "device": "machine"}, "--device requires --csv"),
        ({"csv": None, "time": "ts"}, "--time requires --csv"),
        ({"csv": TABLE, "url": "http://127.0.0.1:1"}, "--csv cannot be used with --url"),
    ],
)
def test_an_option_without_a_meaning_is_refused_by_name(given: dict[str, object], says: str) -> None:
    """A script whose variable was empty trained on all features; `--repeat` with a table did nothing at all."""
    with pytest.raises(InvalidInput, match=says):
        train(**{"csv": TABLE, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize("option", ["--include", "--candidates"])
def test_an_unknown_candidate_is_blamed_on_the_option_that_named_it(option: str) -> None:
    with pytest.raises(InvalidInput, match=rf"^{option}: there is no candidate 'LR' \(did you mean lr\?\)"):
        _settings_with(load_settings(), {"candidates": "LR"}, option)


def labeled(*labels: str) -> Dataset:
    return Dataset(np.zeros((len(labels), 1)), labels, ("a",), "t.csv", None, None)


def test_too_few_rows_are_blamed_on_the_options_that_left_them_out() -> None:
    """`--from` in the future said that the table had no labeled row, which was untrue."""
    none, one, two = labeled(), labeled("a", "a"), labeled("a", "b")
    with pytest.raises(InvalidInput, match="--from, --devices: this leaves no labeled row"):
        check_chosen(none, {"from": "2099-01-01", "devices": ["x"]})
    with pytest.raises(InvalidInput, match=r"--classes: this leaves only the class 'a'.*needs at least two"):
        check_chosen(one, {"labels": ["a"]})
    check_chosen(one, {})  # the data have only one: the run itself says so
    check_chosen(two, {"labels": ["a", "b"]})
