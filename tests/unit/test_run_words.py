"""What the trainer says of a run can be said in Portuguese: no text of its code is unknown to the console."""

from __future__ import annotations

import pytest

from admin.console.language import language, plant_zone
from admin.console.runs.events import event_text, step_text
from zelador.training_queue.event import RunEvent, Standing

PT = language("pt-BR", plant_zone("UTC"))


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("fetching the labeled readings", "As leituras rotuladas são buscadas"),
        ("a new process continues with the other candidates", "Um novo processo continua com os outros candidatos"),
        ("1525 rows of 2 classes from the archive with the buffer", "1.525 leituras de 2 classes carregadas"),
        ("5 folds by whole devices; 475 rows held out", "5 partições; 475 leituras separadas para o teste"),
        ("5 folds by rows drawn at random; no separate hold-out", "5 partições; nenhuma leitura separada para o teste"),
        ("compared 3 of 14 classifiers", "3 de 14 candidatos comparados"),
        ("rebuilding RandomForest (1 of 5)", "RandomForest é montado: 1 de 5"),
        ("tuning LightGBM: 12 settings tried, 40 s left", "LightGBM é ajustado: 12 ajustes testados, restam 40 s"),
        ("blending LightGBM, RandomForest", "Testa-se a média de LightGBM, RandomForest"),
        ("something that a later trainer says", ""),
    ],
)
def test_a_step_of_the_trainer_is_translated(message: str, said: str) -> None:
    assert step_text(PT, message) == said


def test_a_candidate_is_named_with_its_score() -> None:
    ended = Standing("rf", "RandomForest", 0.917, None, 3.0, None)
    failed = Standing("qda", "QDA", None, None, None, "singular matrix")
    says = [
        event_text(PT, RunEvent(1, "2026-11-26T12:00:00Z", kind, "in English", candidate=each), "F1")
        for kind, each in (("candidate_started", ended), ("candidate_ended", ended), ("candidate_failed", failed))
    ]
    assert says == ["RandomForest começa", "RandomForest termina, F1 0,917", "QDA falhou"]
