"""The messages of the trainer about a run, and of an import about its rows, have a translation."""

from __future__ import annotations

import re
from datetime import timezone
from types import SimpleNamespace

import pytest

from admin.console.labels.importing import left_out_of, odd_of
from admin.console.labels.words import fault_text, finding_text
from admin.console.language import language
from admin.console.model.words import worker_reason
from admin.console.render import Renderer
from admin.console.runs.events import event_text, step_text
from admin.console.runs.words import canceled_by, error_text, said_text, verdict_text
from operations.views.report import ByDevice, DeviceScores
from zelador.errors import InvalidInput
from zelador.labels import Label
from zelador.labels.rules import Wish, checked, findings
from zelador.settings import Settings
from zelador.training_queue.event import RunEvent, Standing
from zelador.training_queue.stage import CUT_SHORT

PT = language("pt-BR", timezone.utc)
LIMIT = "the run took longer than 60 s (ZELADOR_TRAINING__TIMEOUT_S)"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("fetching the labeled readings", "As leituras rotuladas são buscadas"),
        ("a new process continues with the other candidates", "Um novo processo continua com os outros candidatos"),
        ("1525 rows of 2 classes from the archive with the buffer", "1.525 leituras de 2 classes carregadas"),
        ("5 folds by whole devices; 475 rows held out", "5 partições; 475 leituras separadas para o teste"),
        ("5 folds by rows drawn at random; no separate hold-out", "5 partições; nenhuma leitura separada para o teste"),
        ("preparing the classifiers", "Os candidatos são preparados"),
        ("comparing classifiers", "Os candidatos são preparados"),
        ("compared 3 of 14 classifiers", "3 de 14 candidatos comparados"),
        ("rebuilding RandomForest (1 of 5)", "Random Forest é montado: 1 de 5"),
        ("writing the models and their reports", "Os modelos e seus relatórios são gravados"),
        ("tuning LightGBM: 12 settings tried, 40 s left", "LightGBM é ajustado: 12 ajustes testados, restam 40 s"),
        ("blending LightGBM, RandomForest", "Testa-se a média de LightGBM, Random Forest"),
        (
            f"someone asked the run to finish early: {CUT_SHORT}",
            "Alguém pediu que a execução terminasse antes: ela continua com os candidatos que foram comparados.",
        ),
        (
            f"{LIMIT}: {CUT_SHORT}",
            "A execução levou mais de 60 s: ela continua com os candidatos que foram comparados.",
        ),
        (
            "skipping LightGBM: it cannot be served: a model of LightGBM is served by its compiled form only, and 3 of "
            "1020 labels differ",
            "LightGBM não pode ser usado. Não pode ser salvo: um modelo de LightGBM só roda na forma compilada. 3 de "
            "1.020 rótulos diferem.",
        ),
        (
            "skipping RandomForest: rebuilt without PyCaret, it gives a different label on 12 of 1020 hold-out rows",
            "Random Forest não pode ser usado. Na forma em que seria salvo, ele rotula 12 de 1.020 leituras separadas "
            "de outro modo.",
        ),
        ("skipping Ridge: out of 'memory'", "Ridge não pode ser usado. Out of 'memory'"),
        ("only 4 of 5 candidates could be used", "Só 4 de 5 candidatos puderam ser usados"),
        (
            "no blend and no stack: fewer than two candidates have probabilities",
            "Os candidatos não são combinados: menos de dois deles dão probabilidades",
        ),
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
    assert says == ["Random Forest começa", "Random Forest termina, F1 0,917", "QDA falhou"]
    for board, said in (((ended, failed), ", primeiro até agora"), ((ended,), ""), ((failed, ended), "")):
        best = RunEvent(2, "2026-11-26T12:00:00Z", "candidate_ended", "", candidate=ended, leaderboard=board)
        assert event_text(PT, best, "F1") == f"Random Forest termina, F1 0,917{said}"
    stopped = Standing("qda", "QDA", None, None, None, "it was not finished: someone asked the run to finish early")
    event = RunEvent(4, "2026-11-26T12:00:00Z", "candidate_failed", "in English", candidate=stopped)
    assert event_text(PT, event, "F1") == "QDA não foi terminado"
    baseline = Standing("dummy", "Dummy", 0.0, None, 1.0, None)
    ended_last = RunEvent(9, "2026-11-26T12:00:00Z", "candidate_ended", "in English", candidate=baseline)
    assert event_text(PT, ended_last, "F1") == "Linha de base termina, F1 0,000"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("it agrees on all 2960 rows and is faster", "Concorda em todas as 2.960 linhas e é mais rápido."),
        (
            "it agrees on all 2960 rows, and only this form can be saved",
            "Concorda em todas as 2.960 linhas, e só esta forma pode ser salva.",
        ),
        ("a probability differs by 0.03", "Uma probabilidade difere em até 0,030."),
        ("6 of 2475 labels differ", "6 de 2.475 rótulos diferem."),
        ("1 of 2475 labels differ", "1 de 2.475 rótulos difere."),
        (
            "a shuffled split would give F1 0.393 for KNearestNeighbors instead of 0.304: it tests models on neighbors "
            "of the rows that they were fitted on",
            "Um teste embaralhado daria F1 0,393 a K Neighbors em vez de 0,304.",
        ),
        (
            "a shuffled split would give MCC 0.104 for KNearestNeighbors instead of -0.061: it tests models on "
            "neighbors of the rows that they were fitted on",
            "Um teste embaralhado daria MCC 0,104 a K Neighbors em vez de −0,061.",
        ),
        (
            "on the hold-out, the MCC of Ridge is -0.02, but the folds predicted -0.01 to 0.20: the hold-out differs "
            "from the training rows, so the intervals were widened to include its scores; later rows may differ more, "
            "and how good a model is on them cannot be told",
            "Nas leituras separadas, MCC de Ridge é −0,020, mas as partições previam −0,010 a 0,200. Os intervalos "
            "foram alargados. Leituras posteriores podem diferir mais: não se sabe quão bom é um modelo nelas.",
        ),
        (
            "the class 'yes' was learned on 1 day only: the intervals are for days like these, and how much others "
            "differ cannot be told",
            "A classe “sim” foi aprendida em 1 dia só. Os intervalos valem para dias como esse. Não se sabe quanto "
            "outros diferem.",
        ),
        (
            "readings resemble each other over 265 rows, so all rows are worth only about 9 independent stretches: "
            "how good a model is on others cannot be told",
            "As leituras mudam devagar: todas juntas valem só cerca de 9 trechos de tempo independentes. Não se sabe "
            "quão bom é um modelo em outros.",
        ),
        (
            f"{LIMIT}: 4 of 10 classifiers were compared",
            "A execução levou mais de 60 s: 4 de 10 candidatos foram comparados.",
        ),
        (f"it was not finished: {LIMIT}", "Não foi terminado: a execução levou mais de 60 s."),
        (f"it was not compared: {LIMIT}", "Não foi comparado: a execução levou mais de 60 s."),
        ("what a later trainer says", ""),
    ],
)
def test_messages_about_a_candidate_are_translated(text: str, said: str) -> None:
    assert said_text(PT, text) == said


@pytest.mark.parametrize(
    ("verdict", "sentence", "said"),
    [
        (
            "tied",
            "RF and LR cannot be told apart by MCC (the class 'needs care' is in 7 independent stretches only); take "
            "RF because it scores best.",
            "Não dá para distinguir RF e LR em MCC. Use RF. A classe “needs care” está em só 7 trechos de tempo "
            "independentes. Tem a melhor pontuação.",
        ),
        (
            "not_evaluable",
            "Whether there is anything to learn cannot be told: no model is clearly better than guessing, but the "
            "class 'b' is in 1 independent stretch only, too few to show that a model is good. Label it more often. "
            "No model is recommended.",
            "Não se sabe se há algo a aprender: uma classe está em poucos trechos de tempo independentes para mostrar "
            "que um modelo é bom. Rotule-a mais vezes. Nenhum modelo é recomendado.",
        ),
    ],
)
def test_the_reason_for_a_verdict_is_translated(verdict: str, sentence: str, said: str) -> None:
    found = SimpleNamespace(
        verdict=verdict, sentence=sentence, first=SimpleNamespace(model_type="RF"), tied=("RF", "LR"), ranked_by="MCC",
        is_chance=False, chance=None, alone=(), testable=(),
    )  # fmt: skip
    assert verdict_text(PT, found) == said  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Wish("d", 2_000_000_000_000, 1_999_999_000_000, "yes"), "não vem depois do início"),
        (Wish("d", 1_000, None, "yes"), "O início é antes do ano 2000."),
        (Wish("d", 2_000_000_000_000, 10**15, "yes"), "O fim é depois do ano 9998."),
        (Wish("d", 2_000_000_000_000, None, None), "Falta o rótulo."),
        (Wish("d", 2_000_000_000_000, None, "x" * 1_000), "O rótulo pode ter 128 caracteres"),
        (Wish("d", 2_000_000_000_000, None, "yes", "x" * 10_000), "A nota pode ter 500 caracteres"),
        (Wish("d" * 5_000, 2_000_000_000_000, None, "yes"), "O nome do dispositivo"),
    ],
)
def test_a_row_that_cannot_be_a_label_says_why_in_portuguese(wish: Wish, said: str) -> None:
    """Uses the rules' own messages: one with new words would be shown in English."""
    with pytest.raises(InvalidInput) as refused:
        checked(wish, Settings(), "somebody", 2_000_000_000_000, "import")
    assert said in fault_text(PT, str(refused.value)), str(refused.value)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            "the training process ended without a result (killed by SIGKILL: often by the system, when memory runs "
            "out); start the run again",
            "O processo de treinamento foi morto. O sistema faz isso quando a memória acaba.",
        ),
        (
            "its trainer (process 41) was killed in the middle of this run; start the run again",
            "O treinador foi morto no meio desta execução. Inicie a execução de novo.",
        ),
        (
            "the run took longer than 0.5 s (ZELADOR_TRAINING__TIMEOUT_S)",
            "A execução levou mais tempo do que pode: 0.5 s (ZELADOR_TRAINING__TIMEOUT_S).",
        ),
        ("no space left on device", ""),
    ],
)
def test_the_reason_why_a_run_failed_is_translated(error: str, said: str) -> None:
    assert error_text(PT, error) == said


def test_who_canceled_a_run_is_read_from_its_end() -> None:
    assert canceled_by("cancelled by key 4f2a91c0") == "key 4f2a91c0"
    assert canceled_by("the run was cancelled") == ""


def test_findings_that_say_the_same_of_several_rows_are_one() -> None:
    """One overlap with the list is said of two rows, and an overlap of two rows of the table in other words."""
    english = language("en", timezone.utc)

    def label(begin: int, end: int, text: str) -> Label:
        start = 1_763_000_000_000
        return checked(Wish("press-07", start + begin, start + end, text), Settings(), "test", 0, "import")

    listed = label(0, 1_000_000, "no")
    new = [(label(0, 300, "yes"), 12), (label(400, 700, "yes"), 40), (label(600, 900, "yes"), 41)]
    (found,) = odd_of(findings(new, [listed], {"press-07"}, 1_800_000_000_000))
    assert found.lines == ((12, 40, 41), (41,))
    assert [finding_text(english, each) for each in found.what] == [
        "In a part of this period press-07 has the label “no” already. There the new label counts, because it is "
        "later.",
        "Two rows about press-07 overlap, and the other says “yes”. Where they do, the later row counts.",
    ]


def test_rows_that_are_left_out_for_one_reason_are_named_together() -> None:
    faults = [(3, "from is missing"), (5, "the device is missing"), (9, "from is missing")]
    assert left_out_of(faults) == (((3, 9), "from is missing"), ((5,), "the device is missing"))


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (
            "forest: model.onnx does not match its digest; restore it from a backup or select another model (zelador "
            "models select)",
            "model.onnx não confere com seu resumo: o arquivo foi danificado ou alterado. Restaure-o de um backup.",
        ),
        (
            "forest: it does not answer its golden rows as it did when it was saved (3 of 64 labels differ, "
            "probabilities by up to 0.31); select another model",
            "Não responde às amostras de referência como quando foi salvo: 3 de 64 rótulos diferem, probabilidades em "
            "até 0.31.",
        ),
        (
            "it needs current, which ZELADOR_FEATURES does not list",
            "Precisa de current, que a planta não envia (ZELADOR_FEATURES).",
        ),
        ("something that a later worker says", ""),
    ],
)
def test_the_reason_of_a_worker_that_refuses_a_model_is_translated(reason: str, said: str) -> None:
    assert worker_reason(PT, reason) == said
    assert bool(worker_reason(language("en", timezone.utc), reason)) == bool(said)


def test_the_worst_device_is_named_by_the_error_that_it_has_most() -> None:
    def said(positives: int, found: int, false_alarms: int) -> str:
        worst = DeviceScores("pump-02", 100, 0.1, 0.7, positives, found, false_alarms)
        by_device = ByDevice("F1", 1, [worst], "pump-02")
        renderer = Renderer(language("en", timezone.utc), "")
        return renderer.macro("model/report.html", "device_cell", by_device, "LR", "", frozenset(), "yes")

    assert "pump-02 is the worst: 10 false alarms, among 93 readings that are not “yes”." in said(7, 7, 10)
    assert "pump-02 is the worst: 1 false alarm, among 100 readings that are not “yes”." in said(0, 0, 1)
    assert "pump-02 is the worst: the model finds 4 of its 14 “yes” readings." in said(14, 4, 6)
    assert re.findall(r'class="num attn">([^<]+)<', said(14, 4, 6)) == ["10.0%"]  # by the share of wrong answers
