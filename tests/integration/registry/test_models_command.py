"""`zelador models` and `zelador classify` with a local registry, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
import redis

from command.models.target import model_names
from registry.model import manifest
from registry.registry import Registry
from registry.restored.watch import Watch
from tests.command import zelador
from tests.small_models import fitted, rows_and_labels, upload, upload_compared
from zelador.buffer.keys import Keys

READING = ("lux=412", "temperature=61.4", "vibration=3.82")


def metadata(f1: float, rank: int, **more: object) -> dict[str, object]:
    scores = {"F1": f1, "AUC": 0.9, "Cost": 1.0}
    folds = {"F1": [f1 - 0.01, f1 + 0.01]}
    return {"metric": "F1", "metrics": scores, "holdout": {"F1": f1 - 0.02, "AUC": None}, "folds": folds,
            "run": "20261124_120432-ab12", "rank": rank, "data": {"rows": 600, "sha256": "d1"}, **more}  # fmt: skip


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.chdir(tmp_path)  # without a setting it lives in ./.zelador/registry
    found = Registry.open(tmp_path / ".zelador" / "registry")
    for name, with_probabilities, facts in (
        ("first", True, metadata(0.80, 2, description="[red]before[/red] the \x1b[31moverhaul")),
        ("ridge", False, metadata(0.85, 1)),
    ):
        model = upload(with_probabilities)
        found.save(name, type(model)(**{**slots(model), "metadata": {**model.metadata, **facts}}), by="test")
    return found


def slots(model: object) -> dict[str, object]:
    return {name: getattr(model, name) for name in model.__slots__}


def test_list_says_which_is_selected(registry: Registry) -> None:
    registry.select("ridge", by="test")
    listed = zelador("models", "list")
    assert listed.code == 0
    (row,) = [line for line in listed.out.splitlines() if "●" in line]
    assert row.split()[:7] == ["●", "ridge", "1", "Ridge", "F1", "0.8500", "0.8300"]
    found = zelador("models", "list", "--json").json
    assert [(facts["name"], facts["selected"]) for facts in found] == [("ridge", True), ("first", False)]


def test_list_of_a_run_or_a_tag(registry: Registry) -> None:
    registry.tag("first", ["keep"], by="test")
    assert [facts["name"] for facts in zelador("models", "list", "--tag", "keep", "--json").json] == ["first"]
    assert len(zelador("models", "list", "--run", "20261124_120432-ab12", "--json").json) == 2
    assert zelador("models", "list", "--run", "other").out == "no model matches\n"


def test_list_is_filtered_sorted_and_limited(registry: Registry) -> None:
    def names(*asked: str) -> list[str]:
        return [facts["name"] for facts in zelador("models", "list", *asked, "--json").json]

    assert names("--sort", "metrics.F1") == ["first", "ridge"]
    assert names("--sort", "-metrics.F1", "--limit", "1") == ["ridge"]
    assert names("--least", "holdout.F1:0.8") == ["ridge"]
    assert names("--type", "Ridge") == ["ridge"]
    assert names("-q", "OVERHAUL") == ["first"]
    assert zelador("models", "list", "--least", "holdout.F1:high").code == 2


def test_show_has_every_metric_and_escapes_foreign_text(registry: Registry) -> None:
    shown = zelador("models", "show", "first")
    assert shown.code == 0
    assert "[red]before[/red] the \\x1b[31moverhaul" in shown.out
    assert "\x1b" not in shown.out
    rows = [line.split() for line in shown.out.splitlines()]
    assert ["F1", "0.8000", "0.7900", "to", "0.8100", "0.7800"] in rows
    assert ["Cost", "1.0000", "–", "–"] in rows
    assert Path(zelador("models", "show", "first", "--json").json["path"]).is_file()


def test_the_best_of_a_run_comes_first_and_runs_stay_newest_first(registry: Registry) -> None:
    """The trainer registers the best model first, so sorting by time alone would put the worst of a run on top."""
    model = upload()
    for name, run, rank in (("b2", "20261125_1", 2), ("b1", "20261125_1", 1), ("other", None, None)):
        facts = {**model.metadata, "run": run, "rank": rank}
        registry.save(name, type(model)(**{**slots(model), "metadata": facts}), by="test")
    names = [facts["name"] for facts in zelador("models", "list", "--json").json]
    assert names == ["other", "b1", "b2", "ridge", "first"]
    assert [facts["name"] for facts in zelador("models", "list", "--limit", "2", "--json").json] == names[:2]


def test_compare_marks_a_winner_only_if_the_difference_is_certain(registry: Registry) -> None:
    compared = zelador("models", "compare", "first", "ridge")
    rows = {line.split("  ")[0].strip(): line.split() for line in compared.out.splitlines() if line.strip()}
    assert rows["F1, hold-out"][-2:] == ["0.7800", "0.8300"]
    assert rows["AUC, hold-out"][-2:] == ["–", "–"]
    assert "*" not in compared.out
    assert "No winner is marked" in compared.out
    assert zelador("models", "compare").out == zelador("models", "compare", "ridge", "first").out
    found = zelador("models", "compare", "first", "ridge", "--json").json
    assert found["best"]["holdout"] == {"F1": [], "AUC": [], "Cost": []}
    assert zelador("models", "compare", "first").code == 2
    for name, low, high in (("first", 0.5, 0.6), ("ridge", 0.7, 0.9)):
        part = {"data": {"source": "may.csv", "digest": "d" * 64, "rows": 90}, "metrics": {"F1": (low + high) / 2},
                "intervals": {"F1": [low, high]}, "by": "row"}  # fmt: skip
        registry.annotate(name, {"evaluations": [part, "nonsense"]}, by="test")
    assert "* 0.8000" in zelador("models", "compare", "first", "ridge").out
    assert "Evaluated on may.csv (SHA-256 dddddddddddd), 90 rows" in zelador("models", "show", "ridge").out
    assert "Evaluated on may.csv" in zelador("models", "card", "ridge").out


def test_compare_shows_what_differs_and_differences_from_the_reference(registry: Registry) -> None:
    out = zelador("models", "compare", "first", "ridge", "--reference", "ridge").out
    assert "Differences from ridge" in out
    assert "-0.0500" in out  # of F1 on the hold-out
    fields = [line.split("  ")[0].strip() for line in out.splitlines()]
    assert "model_type" in fields
    assert "metric" not in fields  # both were ranked by the same
    lines = zelador("models", "compare", "first", "ridge", "--csv").out.splitlines()
    assert (len(lines), lines[0].split(",")[0], lines[1].split(",")[0]) == (3, "model", "first")
    assert zelador("models", "compare", "first", "ridge", "--reference", "other").code != 0


def test_names_that_are_too_wide_are_broken_and_the_columns_stay_named(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("command.output.WIDE", 80)
    names = [f"GradientBoosting_20261126_12043{number}" for number in range(5)]
    for name in names:
        registry.save(name, upload(), by="test")
    lines = zelador("models", "compare", *names).out.partition("No winner")[0].splitlines()
    assert max(map(len, lines)) <= 80, lines
    heads = [line for line in lines if "GradientBoosting_" in line]
    assert sum(line.count("GradientBoosting_") for line in heads) == 5
    assert len(heads) > 1  # the columns go on below


def test_different_data_is_reported(registry: Registry) -> None:
    assert "different data" not in zelador("models", "compare").out
    registry.annotate("first", {"data": {"rows": 10, "sha256": "d2"}}, by="test")
    assert "The models were trained on different data" in zelador("models", "compare").out


def test_a_model_that_the_plant_cannot_feed_is_selected_only_with_force(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZELADOR_FEATURES", "lux,temperature")
    refused = zelador("models", "select", "first")
    assert (refused.code, "needs vibration, and the plant sends lux, temperature" in refused.err) == (2, True)
    assert registry.sync().selection is None
    assert zelador("models", "select", "first", "--force").code == 0


def test_verify_asks_every_model(registry: Registry) -> None:
    """The files are intact, but the model's answers differ from its golden rows."""
    found = registry.manifest("first")
    files = {path: registry.file("first", path) for path in found.files}
    golden = json.loads(files["golden.json"])
    golden["labels"] = ["yes" if label == "no" else "no" for label in golden["labels"]]
    files["golden.json"] = json.dumps(golden).encode()
    described = {path: manifest.describe(data) for path, data in files.items()}
    registry.add("liar", files, msgspec.structs.replace(found, files=described), by="test")
    report = zelador("models", "verify", "--json")
    assert (report.code, report.json["whole"], report.json["asked"]) == (1, False, report.json["models"] - 1)
    (fault,) = [each["what"] for each in report.json["findings"] if each["fault"]]
    assert "liar: it does not answer its golden rows" in fault
    assert zelador("models", "verify", "--files-only").code == 0


def test_select_warns_of_a_model_that_its_run_did_not_recommend(registry: Registry) -> None:
    registry.save("worse", upload_compared("ridge"), by="test")
    registry.select("ridge", by="test")
    found = zelador("models", "select", "worse")
    assert (found.code, found.out.startswith("selected worse")) == (0, True)
    assert "warning: its run recommends no model" in found.err
    assert "warning: it is worse than the selected model on the same readings (F1 -0.400" in found.err
    assert zelador("models", "select", "ridge").err == ""


def test_select_roll_back_and_their_history(registry: Registry) -> None:
    assert zelador("models", "rollback").code == 2
    assert zelador("models", "select", "first", "--why", "to begin").code == 0
    assert zelador("models", "select", "ridge", "--json").json["model"] == "ridge"
    assert zelador("models", "rollback", "--why", "alarms").out.startswith("selected first")
    found = zelador("models", "history", "--json").json
    assert [(e["model"], e["why"], e["rolled_back"]) for e in found] == [
        ("first", "alarms", True), ("ridge", "", False), ("first", "to begin", False),
    ]  # fmt: skip
    assert len(zelador("models", "history", "ridge", "--json").json) == 1
    assert "rolled back" in zelador("models", "history").out


def test_annotate(registry: Registry) -> None:
    before = registry.sync().seq
    done = zelador(
        "models", "annotate", "first", "--description", "hall B", "--notes", "n", "--set", "owner=ana",
        "--set", "limit=0.4", "--set", 'site={"hall": 2}', "--tag", "b", "--tag", "a", "--json",
    )  # fmt: skip
    assert [done.json[key] for key in ("description", "notes", "owner", "limit")] == ["hall B", "n", "ana", 0.4]
    assert done.json["site"] == {"hall": 2}
    assert done.json["tags"] == ["a", "b"]
    assert registry.sync().seq == before + 1
    assert zelador("models", "annotate", "first", "--untag", "a", "--json").json["tags"] == ["b"]
    wrongs = ((), ("--set", "x"), ("--tag", "t", "--untag", "t"), ("--tag", ""), ("--set", "metrics={}"))
    for wrong in wrongs:
        assert zelador("models", "annotate", "first", *wrong).code == 2


def test_rename(registry: Registry) -> None:
    zelador("models", "select", "first")
    refused = zelador("models", "rename", "first", "second")
    assert (refused.code, refused.out) == (2, "")
    assert "select another one" in refused.err
    assert zelador("models", "rename", "ridge", "first").code == 2
    zelador("models", "select", "ridge")
    assert zelador("models", "rename", "first", "press-1", "--why", "its line").out.startswith(
        "renamed first to press-1"
    )
    assert model_names("p") == ["press-1"]
    shown = zelador("models", "show", "press-1", "--json").json
    assert Path(shown["path"]).is_file()
    assert zelador("models", "show", "first").code == 2
    assert zelador("models", "rename", "press-1", "press-2", "--json").json == {**shown, "name": "press-2"}
    assert zelador("models", "rollback", "--json").json["model"] == "press-2"
    assert [e["model"] for e in zelador("models", "history", "--json").json] == ["press-2", "ridge", "first"]
    assert zelador("models", "verify").code == 0


def test_delete_refuses_the_selected_one(registry: Registry) -> None:
    zelador("models", "select", "first")
    refused = zelador("models", "delete", "first")
    assert (refused.code, refused.out) == (2, "")
    assert "select another one" in refused.err
    assert zelador("models", "delete", "ridge").code == 0
    assert zelador("models", "show", "ridge").code == 2
    assert zelador("models", "collect", "--grace", "0", "--json").json["removed"]


def test_verify_exits_with_1_if_something_must_be_done(registry: Registry) -> None:
    whole = zelador("models", "verify")
    assert (whole.code, whole.out.split(":")[0]) == (0, "intact")
    report = zelador("models", "verify", "--json").json
    assert zelador("models", "verify", "--expect", report["etag"]).code == 0
    assert zelador("models", "verify", "--expect", "seq-0123456789abcdef").code == 1
    model = registry.state.models["first"]
    Path(registry.where(model)).write_bytes(b"other")
    broken = zelador("models", "verify", "--json")
    assert broken.code == 1
    assert any("model.skops" in found["what"] and found["fault"] for found in broken.json["findings"])


def test_verify_checks_for_the_entry_that_services_saw_last(
    registry: Registry, redis_url: str, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = zelador("models", "verify", "--json").json
    assert (alone["expected"], alone["whole"]) == (None, True)
    monkeypatch.setenv("ZELADOR_REDIS__URL", redis_url)
    monkeypatch.setenv("ZELADOR_REDIS__PREFIX", mark)
    assert "checked for no earlier ETag: no service has recorded one" in zelador("models", "verify").out
    with redis.Redis.from_url(redis_url) as client:
        assert Watch(registry, client, mark, "the API", 30.0).look().trouble is None
    newest = registry.state
    found = zelador("models", "verify")
    assert found.code == 0
    assert f"checked for {newest.etag}, entry {newest.seq}, which the API saw at 20" in found.out
    (Path.cwd() / ".zelador" / "registry" / "log" / f"{newest.seq:08d}.json").unlink()
    lost = zelador("models", "verify", "--json")
    assert (lost.code, lost.json["expected"]) == (1, newest.etag)
    assert [each["what"] for each in lost.json["findings"] if each["where"] == "log"] == [
        f"the entry last seen ({newest.etag}) is missing: the log lost entries, or belongs to another registry"
    ]
    assert zelador("models", "verify", "--expect", "none").code == 0
    assert zelador("models", "verify", "--expect", lost.json["etag"]).code == 0
    assert zelador("models", "accept").code == 2
    accepted = zelador("models", "accept", "--why", "known", "--json").json
    assert (accepted["before"]["etag"], accepted["after"]["etag"]) == (newest.etag, lost.json["etag"])
    assert zelador("models", "verify").code == 0
    with redis.Redis.from_url(redis_url) as client:  # the admin server moves it to its audit file
        ((_, act),) = client.xrange(Keys(mark).audit)
    assert b'"what":"registry accepted"' in act[b"act"]


def test_verify_and_accept_create_no_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert zelador("models", "verify").code == 2
    assert zelador("models", "accept", "--why", "w").code == 2
    assert not (tmp_path / ".zelador" / "registry").exists()


def test_a_log_without_signatures_is_vouched_for_once(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    assert zelador("models", "trust", "--why", "as I know it").code == 2  # no key: nothing to vouch with
    monkeypatch.setenv("ZELADOR_REGISTRY__SIGNING_KEY", "ab" * 32)
    assert zelador("models", "list").code == 2
    assert zelador("models", "trust", "--why", "as I know it").code == 0
    assert len(zelador("models", "list", "--json").json) == 2


def test_classify_answers_as_the_model_does(registry: Registry, tmp_path: Path) -> None:
    assert "no model is selected" in zelador("classify", *READING).err
    zelador("models", "select", "first")
    asked = zelador("classify", *READING, "--json").json
    assert asked["model"] == "first"
    expected = fitted().predict_proba([[412, 61.4, 3.82]])[0]
    assert list(asked["predictions"][0]["probabilities"].values()) == pytest.approx(expected, abs=1e-6)
    assert zelador("classify", *READING, "--model", "ridge", "--json").json["predictions"][0]["confidence"] is None
    table = zelador("classify", *READING)
    assert table.out.splitlines()[0].split() == ["lux", "temperature", "vibration", "label", "p(no)", "p(yes)"]
    assert "by first" in table.err

    rows, _ = rows_and_labels()
    lines = [",".join(map(str, row)) for row in rows[: 1200 % 600 or 600].tolist()] * 2
    (tmp_path / "rows.csv").write_text("lux,temperature,vibration\n" + "\n".join(lines))
    many = zelador("classify", "--csv", "rows.csv", "--json").json
    assert [each["label"] for each in many["predictions"]] == fitted().predict(rows).tolist() * 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give one reading"),
        (("lux=1", "--model", "first"), "temperature"),
        (("lux=x",), "FEATURE=NUMBER"),
        (("lux=nan", "temperature=1", "vibration=1", "--model", "first"), "lux"),
        (("lux=1", "--csv", "x.csv"), "give one reading"),
        (("--csv", "nowhere.csv", "--model", "first"), "nowhere.csv"),
        ((*READING, "--model", "nobody"), "nobody"),
        ((*READING, "--key", "zlk_x"), "--url"),
        ((*READING, "--key", "zlk_x", "--url", "http://127.0.0.1:9", "--home", "."), "--home"),
        ((*READING, "--home", "."), "no home"),
    ],
)
def test_a_question_that_cannot_be_answered_is_one_line(
    registry: Registry, arguments: tuple[str, ...], said: str
) -> None:
    refused = zelador("classify", *arguments)
    assert (refused.code, refused.out) == (2, "")
    (line,) = refused.err.splitlines()
    assert said in line
    assert "zlk_x" not in line


def test_a_home_that_is_not_running_has_its_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    ports = {"mqtt": 1, "redis": 2, "api": 3, "broker5": 4, "broker3": 5}
    (home / "home.json").write_text(json.dumps(ports))
    Registry.open(home / "registry").save("there", upload(), by="test")
    assert [facts["name"] for facts in zelador("models", "list", "--home", "home", "--json").json] == ["there"]
    assert zelador("classify", *READING, "--home", "home", "--model", "there").code == 0
    assert zelador("models", "verify", "--home", "home").code == 0


def test_names_are_completed_without_creating_a_registry(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert model_names("fi") == ["first"]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert model_names("") == []
    assert list(Path().iterdir()) == []
