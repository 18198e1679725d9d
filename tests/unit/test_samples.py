"""A replayed table says what a table says in training: labels, missing values and ranges have one meaning."""

from __future__ import annotations

from pathlib import Path

from command.demo.scenarios import samples_of
from zelador.settings import Settings
from zelador.table import Wanted

DEVICES = ["device-1", "device-2"]


def read(folder: Path, text: str, wanted: Wanted) -> tuple[list[tuple[str, str]], list[str]]:
    path = folder / "table.csv"
    path.write_text(text)
    notes: list[str] = []
    samples = samples_of(path, Settings(), wanted, DEVICES, notes.append)
    return [(sample.device_id, sample.label) for sample in samples], notes


def test_labels_are_those_of_training(tmp_path: Path) -> None:
    """pandas writes 1.0 and nan for whole numbers in a column with gaps. They are not published unchanged."""
    text = "lux,temperature,vibration,fault\n410,48,1,nan\n411,75,6,1.0\n412,47,1,0.0\n"
    found, notes = read(tmp_path, text, Wanted(None, "fault"))
    assert found == [("device-1", ""), ("device-2", "1"), ("device-1", "0")]
    assert notes == ["1 row without a label is sent without one"]


def test_rows_that_would_be_refused_live_are_left_out_and_reported(tmp_path: Path) -> None:
    text = "press;lux;temperature;vibration\nA;410;48;1,5\nB;410;;1,1\nC;410;-127;1,5\n"
    found, notes = read(tmp_path, text, Wanted(None, None, device="press"))
    assert found == [("A", "")]
    assert "2 of 3 rows are left out: there is no value for temperature" in notes


def test_rows_that_are_too_old_for_the_ingester_are_reported(tmp_path: Path) -> None:
    """A replayed table of 2020 would go to quarantine, reading by reading, while the command reported success."""
    text = "when,lux,temperature,vibration\n2020-03-01 10:00:00,410,48,1\n"
    _, notes = read(tmp_path, text, Wanted(None, None, time="when"))
    assert any("2020-03-01" in note and "ZELADOR_INGEST__MAX_BEHIND_S" in note for note in notes)
    _, notes = read(tmp_path, text, Wanted(None, None))
    assert not any("MAX_BEHIND_S" in note for note in notes)
