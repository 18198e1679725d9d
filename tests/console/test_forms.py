"""The forms of models, training and runs without JavaScript: what each does, and what it refuses."""

from __future__ import annotations

import re

import httpx
import pytest

from registry.registry import Registry
from tests.attacks.api import wait_for
from tests.console.conftest import Site
from tests.console.ended_runs import CLEAR, FAILED, NOT_EVALUABLE, NOTHING, TIED
from tests.console.outline import Fields, Outline, shape
from tests.console.plant import BAD
from tests.small_models import upload_compared


def etag_of(text: str) -> str:
    return str(next(each["value"] for each in Outline(text).of("input") if each.get("name") == "etag"))


def test_a_model_is_selected_and_rolled_back_by_forms(site: Site) -> None:
    with site.client("operator") as client:
        asked = client.get("/console/models/other/select")
        assert "You can go back to the model before" in asked.text
        stale = etag_of(asked.text)
        answer = client.post("/console/models/other/select", data={"etag": stale, "why": "quieter"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/models/other")
        wait_for(lambda: "Live on 1 of 1" in client.get("/console/models/other").text, "the worker")
        again = client.post("/console/models/small/select", data={"etag": stale})
        assert again.status_code == 412
        assert "Someone changed the registry while you were reading" in again.text
        shape(again)
        page = client.get("/console/models/other").text
        assert "Roll back to small?" in page
        back = client.post("/console/rollback", data={"etag": etag_of(page), "why": "too many alarms"})
        assert back.headers["location"] == "/console/models/small"
        assert client.get("/v1/selection").json()["model"] == "small"
        undo = client.get("/console/models/small")  # says once what was done, and how to go back
        action = re.search(r'action="(/console/models/[^"]+/select)"', undo.text.partition('id="said"')[2])
        assert action and action[1] == "/console/models/other/select"
        rows = client.get("/console/models/other").text.split("<tr>")
        assert any("Rolled back, to small" in row and "too many alarms" in row for row in rows)
        assert 'name="why" value="undo"' in undo.text
        undone = client.post(action[1], data={"etag": etag_of(undo.text), "why": "undo"})
        assert undone.headers["location"] == "/console/models/other"
        assert "Undone: back to other" in client.get("/console/models/small").text
        assert "Selected again, by undoing" in client.get("/console/models/other").text
        client.post("/console/models/small/select")


def test_the_form_says_what_is_against_a_model_and_selects_it_all_the_same(site: Site) -> None:
    registry = Registry.open(site.settings.registry.url)
    given = upload_compared("small")
    data = {"rows": 2400, "sha256": "dbc5" * 16, "digest": "8802" * 16, "classes": {"no": 1800, "yes": 600}}
    rule = {"class": "yes", "on_count": 3, "window": 5, "high": 0.95, "low": 0.3, "per_device_and_week": 0.7}
    given.metadata.update(train_rows=1400, holdout_rows=960, data=data, alarm=rule)
    registry.save("worse", given, by="test")
    with site.client("operator") as client:
        for path in ("/console/models/worse", "/console/models/worse/select"):
            page = client.get(path)
            shape(page)
            assert "Its run recommends no model" in page.text
            assert (
                "It is worse than the selected model on the same readings (F1 −0.400, −0.500 to −0.300)." in page.text
            )
            assert "Both were tested on the same readings." in page.text
            assert "<td>250</td><td>600</td>" in page.text  # of 20, 5 and 9 missed; of 80, 0 and 15 false alarms
            if path.endswith("select"):  # what an alarm is, as its test counts single readings
                assert "an alarm: 3 of 5 readings from 0.95" in page.text
                assert "The test counts single readings." in page.text
            else:
                assert "1,400 of 2,400 labeled readings; 960 were held out" in page.text
                assert "8802880288028802" in page.text  # as the training page and the run name the data
        assert client.post("/console/models/worse/select").status_code == 303
        assert "It is worse" not in client.get("/console/models/small/select").text
        assert client.post("/console/models/small/select").status_code == 303
    with site.client("operator", **{"Accept-Language": "pt-BR"}) as client:
        assert "A execução não recomenda nenhum modelo" in client.get("/console/models/worse/select").text
    registry.delete("worse", by="test")


def test_a_run_offers_its_best_model_only_if_it_recommends_it(site: Site) -> None:
    registry = Registry.open(site.settings.registry.url)
    for run, name in ((NOTHING, "doubtful"), (TIED, "advised")):
        given = upload_compared("small")
        given.metadata.update(run=run, not_recommended=run == NOTHING)
        registry.save(name, given, by="test")
    with site.client("operator") as client:
        assert "/select" not in client.get(f"/console/runs/{NOTHING}").text
        tied = client.get(f"/console/runs/{TIED}").text
        assert 'href="/console/models/advised/select">Select the recommended one…' in tied
    for name in ("doubtful", "advised"):
        registry.delete(name, by="test")


def test_a_model_that_the_plant_cannot_feed_is_selected_only_with_force(site: Site) -> None:
    """Rolling back to such a model also asks for confirmation first."""
    with site.client("operator") as client:
        assert "Select it all the same" in client.get("/console/models/hungry/select").text
        refused = client.post("/console/models/hungry/select")
        assert refused.status_code == 409
        assert "does not send what this model needs" in refused.text
        assert client.post("/console/models/hungry/select", data={"force": "yes"}).status_code == 303
        wait_for(lambda: "the worker refused this model" in client.get("/console/models/hungry").text, "the refusal")
        client.post("/console/models/small/select")
        assert "Roll back…" in client.get("/console/models/small").text
        asked = client.get("/console/rollback")
        shape(asked)
        assert "current" in asked.text
        assert client.post("/console/rollback", data={"etag": etag_of(asked.text)}).status_code == 409
        assert client.get("/v1/selection").json()["model"] == "small"
        forced = client.post("/console/rollback", data={"etag": etag_of(asked.text), "force": "yes"})
        assert forced.headers["location"] == "/console/models/hungry"
        assert client.post("/console/models/small/select").status_code == 303
        listed = {state: client.get(f"/console/models?state={state}").text for state in ("selected", "before", "never")}
        for state, text in listed.items():
            assert ("/console/models/hungry" in text) == (state == "before"), state
            assert ('class="name" href="/console/models/small"' in text) == (state == "selected"), state


def test_notes_are_kept_and_a_script_in_them_is_text(site: Site) -> None:
    nasty = "<script>alert(1)</script>\n“loose guard” & more"
    with site.client("operator") as client:
        etag = etag_of(client.get("/console/models/other").text)
        form = {"notes": nasty, "tags": "autumn, <b>", "description": '"><img src=x>', "etag": etag}
        assert client.post("/console/models/other/notes", data=form).status_code == 303
        page = client.get("/console/models/other")
        shape(page)
        assert "<script>alert" not in page.text
        assert "&lt;script&gt;alert(1)" in page.text
        assert "<img" not in page.text
        assert client.get("/v1/models/other").json()["notes"] == nasty
        shape(client.get("/console/models"))


def test_a_model_is_deleted_only_with_its_name_typed(site: Site) -> None:
    with site.client("admin") as client:
        archive = client.get("/v1/models/other/archive").content
        files = {"file": ("other.zip", archive, "application/zip")}
        answer = client.post("/console/import", files=files, data={"name": "copy"})
        assert answer.headers["location"] == "/console/models/copy", answer.text[-400:]
        refused = client.post("/console/models/copy/delete", data={"typed": "cop"})
        assert refused.status_code == 422
        shape(refused)
        assert client.get("/console/models/copy").status_code == 200
        assert client.post("/console/models/copy/delete", data={"typed": "copy"}).status_code == 303
        assert client.get("/console/models/copy").status_code == 404


def test_a_run_is_started_and_cancelled_by_forms(site: Site) -> None:
    """Without a trainer the run waits, and the page says so; a second run is refused."""
    with site.client("operator") as client:
        assert "No trainer is running" in client.get("/console/training?devices=press-07").text
        given = {"candidates": ["lr", "dt"], "notes": "x", "split": "device", "devices": "press-07, mill-*"}
        given |= {"from": "2026-11-01", "to": "2026-11-24", "tune": "1.5", "more": ["blend"]}
        costs = {"cost_missed": "1,000.50", "cost_false_alarm": "3", "save": "first"}
        started = client.post("/console/training", data={"metric": "MCC", **given, **costs})
        path = started.headers["location"]
        asked = client.get(f"/v1/runs/{path.rpartition('/')[2]}").json()["request"]
        assert (asked["split"], asked["register"], asked["tune_s"], asked["blend"]) == ("device", [1], 90.0, True)
        period = {"from": "2026-11-01T03:00:00.000Z", "to": "2026-11-25T03:00:00.000Z"}  # whole days of the plant
        assert asked["dataset"].items() >= {"devices": ["mill-*", "press-07"], **period}.items()
        assert (asked["cost_missed"], asked["cost_false_alarm"]) == (1000.5, 3.0)
        like = client.get(path.replace("runs", "training/like"))
        shape(like)
        for value in ("mill-*, press-07", "2026-11-01", "2026-11-24", "1.5"):
            assert f'value="{value}"' in like.text
        assert 'value="1000.5"' in like.text
        page = client.get(path)
        shape(page)
        assert "Waiting for the trainer" in page.text
        refused = client.post("/console/training", data={"metric": "F1"})
        assert refused.status_code == 409
        shape(refused)
        for wrong in (
            {"candidates": ["rm -rf"]},
            {"cost_missed": "0"},
            {"recall": "101"},
            {"recall": "x"},
            {"cost_missed": "1,234"},
            {"split": "y"},
            {"from": "tomorrow"},
            {"from": "2026-11-02", "to": "2026-11-01"},
        ):
            assert client.post("/console/training", data={"metric": "F1", **wrong}).status_code == 422, wrong
        shape(client.get(f"{path}/cancel"))
        shape(client.get(f"{path}/finish"))
        assert client.post(f"{path}/finish").status_code == 409  # it has not begun
        assert client.post(f"{path}/cancel").status_code == 303
        assert "Canceled by " in client.get(path).text


@pytest.mark.parametrize(
    "differs",
    [{}, {"save": ["first"]}, {"save": [""]}, {"recall": ["57"], "cost_missed": [""], "cost_false_alarm": [""]}],
)  # fmt: skip
def test_training_again_repeats_every_field(site: Site, differs: dict[str, list[str]]) -> None:
    """Each field of the form has another value than a new form has, and all of them are there again."""
    typed = {
        "from": ["2026-11-01"], "to": ["2026-11-24"], "devices": ["mill-*, press-07"], "split": ["device"],
        "metric": ["Recall"], "positive": ["yes"], "cost_missed": ["1000.5"], "cost_false_alarm": ["3"], "recall": [""],
        "candidates": ["dt", "lr"], "tune": ["1.1"], "budget": ["7.3"], "more": ["blend", "stack", "balance"],
        "notes": ["after the repair"], "save": ["all"],
    } | differs  # fmt: skip
    with site.client("operator") as client:
        path = client.post("/console/training", data=typed).headers["location"]
        try:
            again = client.get(path.replace("runs", "training/like")).text
            found = Fields(again, "/console/training").sent
        finally:
            assert client.post(f"{path}/cancel").status_code == 303
        assert {name: sorted(values) for name, values in found.items()} == {
            name: sorted(values) for name, values in typed.items()
        }
        assert "no field for some settings" not in again


def test_training_again_names_the_settings_that_the_form_lacks(site: Site) -> None:
    asked = {"metric": "F1", "exclude": ["nb"], "gpu": True, "register": [2, 3], "classes": ["yes", "no"]}
    with site.client("operator") as client:
        run = client.post("/v1/runs", json=asked).json()["id"]
        try:
            again = client.get(f"/console/training/like/{run}").text
        finally:
            assert client.post(f"/console/runs/{run}/cancel").status_code == 303
    said = re.search(r"not taken over: ([^<]+)<", again)
    assert said is not None
    for part in ("Left out: Naive Bayes", "PyCaret may use a GPU", "Save those of rank 2, 3", "Classes: yes, no"):
        assert part in said[1]


def test_training_shows_the_readings_of_the_chosen_days_and_devices(site: Site) -> None:
    with site.client("operator") as client:
        none = client.get("/console/training?from=2020-01-01&to=2020-01-02")
        shape(none)
        assert "No reading is of these days and devices." in none.text
        wrong = client.get("/console/training?from=2020-01-02&to=2020-01-01")
        shape(wrong)
        assert "The readings cannot be loaded" in wrong.text
        labeled = site.plant
        labeled.publish(BAD, "lathe-71")  # has no label, so it does not count
        for step in range(4):
            labeled.publish(BAD if step % 2 else {"lux": 400.0, "temperature": 45.0, "vibration": 0.1 + step},
                            "lathe-70", label=("no", "yes")[step % 2])  # fmt: skip
        wait_for(lambda: "Among 5 readings of 2 devices" in _loaded_again(client, "lathe-7*"), "the readings")
        page = client.get("/console/training?devices=lathe-7*")
        shape(page)
        assert "4 labeled readings of 1 device." in page.text
        assert "Among 5 readings of 2 devices, with a label or without, " in page.text
        assert "lowest, median, highest and missing are of all 5." in page.text
        assert 'name="cost_missed"' in page.text
        labeled.publish(BAD, "lathe-70", label="broken")
        wait_for(lambda: "Among 6 readings" in _loaded_again(client, "lathe-7*"), "the third class")
        assert 'name="cost_missed"' not in client.get("/console/training?devices=lathe-7*").text
        refused = client.post("/console/training", data={"devices": "lathe-7*", "cost_missed": "0"})
        assert (refused.status_code, 'name="cost_missed"' in refused.text) == (422, True)
        assert "Class too small" in page.text
        assert 'value="lathe-7*"' in page.text
    with site.client("viewer") as client:  # loading another one is expensive
        assert "Among 5 readings of 2 devices" not in client.get("/console/training?devices=lathe-7*").text


def _loaded_again(client: httpx.Client, devices: str) -> str:
    client.post("/console/training/again")
    return client.get(f"/console/training?devices={devices}").text


def test_the_page_of_a_run_says_which_model_is_better_and_how_certain_that_is(site: Site) -> None:
    with site.client("viewer") as client:
        clear, tied = (client.get(f"/console/runs/{run}").text for run in (CLEAR, TIED))
        assert "Decision Tree is better than the other 5" in clear
        assert "With four times as many blocks, 90 more" in tied
        assert "It is better than the live model: the interval, +0.134 to +0.394, does not include 0." in clear
        assert "from a probability of 0.09" in clear
        assert 'class="sub">recommended' in clear
        assert "cannot be told apart by F1" in tied
        assert 'class="sub">recommended' not in client.get(f"/console/runs/{NOTHING}").text
        assert "was killed &lt;9&gt;" in client.get(f"/console/runs/{FAILED}").text
        assert 'name="keep"' not in clear  # a viewer saves nothing
        assert "press-01 is the worst: the model finds 7 of its 12 “yes” readings." in clear
        assert "12.5% of its 80 readings are answered wrong." in clear
        assert (
            "Of 60 tries with the labels moved at random, 24 scored as much"
            in client.get(f"/console/runs/{NOTHING}").text
        )
        seen = client.get(f"/console/runs/{NOT_EVALUABLE}").text
        assert "Cannot be tested" in seen
        assert "1 of the 2 classes was seen on one device" in seen
        assert 'id="five"' in seen  # with the scores of the shuffled test, as no other says anything
        assert 'id="cmp"' not in seen
        assert "Tested by block" not in seen
        assert "&lt;b&gt;</th>" in seen
        assert "Not promoted" in clear
        assert "so the lead may be chance" in clear
    with site.client("viewer", **{"Accept-Language": "pt-BR"}) as client:
        assert (
            "Não dá para distinguir Decision Tree e Gradient Boosting em F1."
            in client.get(f"/console/runs/{TIED}").text
        )


def test_a_run_that_was_killed_is_started_again_without_the_candidate_that_it_compared(site: Site) -> None:
    like = f"/console/training/like/{FAILED}"
    with site.client("operator") as client:
        assert f'href="{like}?without=rf">Train again without it' in client.get(f"/console/runs/{FAILED}").text
        for path, names in ((like, {"lr", "dt"}), (f"{like}?without=dt", {"lr"})):
            assert set(re.findall(r'name="candidates" value="(\w+)" checked>', client.get(path).text)) == names
    with site.client("viewer") as client:
        assert "/console/training/like" not in client.get(f"/console/runs/{FAILED}").text


def test_a_run_whose_trainer_was_stopped_says_what_to_do(site: Site) -> None:
    """A supervisor starts another trainer at once, which cannot tell how the first one ended."""
    run, registry = "20261124_120009-bbbb", Registry.open(site.settings.registry.url)
    why = "the trainer was stopped in the middle of this run; start the run again"
    ended, events = registry.run(FAILED).copy(), registry.run_events(FAILED)
    assert events is not None
    ended["run"], ended["error"] = run, why
    registry.put_run(run, ended)
    registry.put_run_events(run, events)
    with site.client("operator") as client:
        text = client.get(f"/console/runs/{run}").text
    assert "If memory ran out, leave out Random Forest, which was being compared." in text
    assert "Or give the trainer more memory." in text


def test_other_costs_give_another_threshold_without_scripts(site: Site) -> None:
    """Nothing changes by it; a new run can be started with these costs."""
    path, asked = f"/console/runs/{CLEAR}", {"missed": "7.5", "false_alarm": "2,5"}
    with site.client("operator") as client:
        usual = client.get(path).text
        assert 'name="missed" inputmode="decimal" maxlength="40" autocomplete="off" value="10"' in usual
        found = client.get(path, params=asked)
        shape(found)
        assert "Then a reading would count as “yes” from a probability of 0.25." in found.text
        assert "Of 100 it would miss 6, with 41 false alarms, among 960 readings." in found.text
        assert "zelador train --cost-missed 7.5 --cost-false-alarm 2.5" in found.text
        part = client.get(f"{path}/threshold", params=asked)
        assert part.text.strip().startswith("<p><b>Then a reading would count")
        assert part.headers["content-type"].startswith("text/html")
        again = client.get(f"/console/training/like/{CLEAR}?cost_missed=7.5&cost_false_alarm=2.5").text
        assert 'name="cost_missed" inputmode="decimal" maxlength="40" autocomplete="off" value="7.5"' in again
        wrong = client.get(path, params={"missed": "<b>", "recall": "95"})
        assert wrong.status_code == 422
        shape(wrong)
        assert 'value="&lt;b&gt;" aria-invalid="true"' in wrong.text
        assert 'aria-describedby="thr-missed-why" autofocus' in wrong.text
        assert re.search(r'<p class="error" id="thr-missed-why">.*?Write a number above 0\.', wrong.text)
        twin = client.get(f"/v1/runs/{CLEAR}/threshold", params={"cost_missed": 7.5, "cost_false_alarm": 2.5}).json()
        assert (twin["asked"]["threshold"], twin["asked"]["missed"], twin["chosen"]["threshold"]) == (0.25, 6, 0.09)
        assert client.get(f"/v1/runs/{CLEAR}/threshold?rank=19").status_code == 404
        assert client.get(f"/v1/runs/{NOTHING}/threshold").status_code == 404
        assert client.get(f"/v1/runs/{CLEAR}/threshold?cost_missed=0").status_code == 422
    with site.client("viewer") as client:
        text = client.get(path, params=asked).text
        assert "/console/training/like" not in text
        assert "On the command line" in text


def test_two_of_the_five_are_saved_with_names_and_notes(site: Site) -> None:
    """All names are checked before the first is saved."""
    form = {
        "keep": ["1", "3"],
        "name1": "first-of-run",
        "note1": "kept as <b>quick</b>",
        "name3": "small",
        "name2": "no",
    }
    with site.client("operator") as client:
        path = f"/console/runs/{CLEAR}"
        refused = client.post(f"{path}/save", data=form)
        assert refused.status_code == 409
        shape(refused)
        assert "There is a model" in refused.text
        assert client.get("/v1/models/first-of-run").status_code == 404
        assert client.post(f"{path}/save", data={}).status_code == 422
        wrong = client.post(f"{path}/save", data={**form, "name3": "a b", "note2": "not chosen"})
        assert wrong.status_code == 422
        shape(wrong)
        assert "is not a name" in wrong.text
        for kept in ("first-of-run", "kept as &lt;b&gt;quick&lt;/b&gt;", "a b", "not chosen"):
            assert f'value="{kept}"' in wrong.text, kept
        assert re.findall(r'name="keep" value="(\d)" checked', wrong.text) == ["1", "3"]
        none = client.post(f"{path}/save", data={"name1": "mine"}, headers={"Accept-Language": "pt-BR"})
        assert "Escolha" in none.text
        assert 'value="mine"' in none.text
        saved = client.post(f"{path}/save", data={**form, "name3": "", "note2": "for <later>"})
        assert saved.status_code == 200, saved.text[-300:]  # what was typed for one that was not chosen is still there
        shape(saved)
        assert 'data-address="/console/runs/' in saved.text
        assert re.findall(r'id="(?:name|note)2" name="\w+" value="([^"]*)"', saved.text) == ["no", "for &lt;later&gt;"]
        assert 'name="keep" value="2" checked' not in saved.text
        page = client.get(path)
        shape(page)
        assert page.text.count('href="/console/models/first-of-run"') == 1
        assert 'href="/console/models/first-of-run/select"' in page.text
        assert page.text.count('name="keep"') == 1
        assert "kept as &lt;b&gt;quick" in client.get("/console/models/first-of-run").text


def test_runs_are_found_by_day(site: Site) -> None:
    with site.client("viewer") as client:
        found = client.get("/console/runs", params={"until": "2026-11-24"})
        shape(found)
        assert CLEAR in found.text
        assert 'name="until" value="2026-11-24"' in found.text
        assert "No run is that old." in client.get("/console/runs", params={"until": "2026-11-23"}).text
        for odd in ("0001-01-01", "9999-12-31", "<b>", "2026-13-01"):
            assert client.get("/console/runs", params={"until": odd}).status_code == 200
