"""The verdict: which pairs count, the resulting ratio, and failure on any lost or repeated prediction."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.measure import Snapshot, use
from benchmarks.report import Measured, document, text
from benchmarks.run import Result, rate
from benchmarks.verdict import Pair, another_pair, backlog_grew, count_pairs, failures, middle, percentile

LEDGER = {"received": 1_000, "classified": 1_000, "unaccounted": 0}


def result(route: str = "product", per_s: float = 10_000.0, **other: object) -> Result:
    cpu_us = {"load": 2.0, "relay-sub-0": 5.0} if route != "product" else {"load": 2.0, "ingest": 6.4}
    made = Result(route, sent=1_000, acknowledged=1_000, received=1_000, repeated=0, per_s=per_s, cpu_us=cpu_us)
    return replace(made, **other)  # type: ignore[arg-type]


def pair(product: float, floor: float, others: float = 0.0) -> Pair:
    return Pair(result("floor", floor), result("floor", floor / 2), result(per_s=product, others=others))


def test_the_ratio_is_the_median_of_the_paired_ones_not_the_ratio_of_the_medians() -> None:
    counted = count_pairs([pair(10, 20), pair(9, 10), pair(30, 100)])
    assert middle([p.ratio for p in counted.pairs]) == 0.5
    assert middle([p.ratio_qos1 for p in counted.pairs]) == 1.0


def test_a_disturbed_pair_does_not_count_whichever_part_of_it_was() -> None:
    quiet, busy = pair(10, 20), pair(1, 20, others=0.13)
    also = replace(quiet, qos1=result("floor", others=0.2))
    counted = count_pairs([quiet, busy, also])
    assert counted.pairs == (quiet,)
    assert counted.discarded == (busy, also)
    assert not counted.disturbed


def test_without_a_quiet_pair_the_disturbed_ones_are_reported_as_such() -> None:
    busy = pair(1, 20, others=0.5)
    counted = count_pairs([busy])
    assert counted.pairs == (busy,)
    assert counted.disturbed


@pytest.mark.parametrize("fault", [{"received": 999}, {"repeated": 1}, {"stalled": True}])
def test_a_floor_that_lost_or_repeated_readings_is_void(fault: dict[str, object]) -> None:
    void = replace(pair(10, 20), qos0=result("floor at QoS 0", **fault))
    assert "floor at QoS 0" in (void.fault or "")
    assert count_pairs([void]).pairs == ()


def test_pairs_are_repeated_a_limited_number_of_times() -> None:
    good, bad = pair(10, 20), pair(10, 20, others=0.5)
    assert another_pair([], 3, 0.0, 60.0)
    assert another_pair([good, bad, good], 3, 10.0, 60.0)
    assert not another_pair([good, bad, good, good], 3, 10.0, 60.0)
    assert not another_pair([bad] * 6, 3, 10.0, 60.0)
    assert not another_pair([good], 3, 61.0, 60.0)


def test_after_a_lost_prediction_nothing_more_is_measured() -> None:
    assert not another_pair([replace(pair(10, 20), product=result(received=999))], 3, 0.0, 60.0)


def test_a_run_without_fault_passes() -> None:
    assert failures([result()], LEDGER, None) == []


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"received": 999}, "1 of 1,000 readings have no prediction"),
        ({"repeated": 2}, "2 predictions were repeated"),
        ({"stalled": True}, "stalled: 1,000 sent"),
    ],
)
def test_anything_but_exactly_once_fails_however_fast(fault: dict[str, object], said: str) -> None:
    found = failures([result(per_s=1e9), result(per_s=1e9, **fault)], {**LEDGER, "classified": 2_000}, None)
    assert len(found) == 1
    assert said in found[0]


def test_a_ledger_that_does_not_close_or_does_not_agree_fails() -> None:
    assert "unaccounted" in failures([result()], {**LEDGER, "unaccounted": 1}, None)[0]
    assert "classified" in failures([result()], {**LEDGER, "classified": 999}, None)[0]


def test_a_backlog_that_grows_fails_unless_somebody_else_had_the_machine() -> None:
    grown = result(backlog_start=100.0, backlog_end=3_000.0)
    assert backlog_grew(grown, 10_000.0)
    assert "backlog" in failures([grown], LEDGER, (grown, 10_000.0))[0]
    assert failures([grown], LEDGER, (replace(grown, others=0.5), 10_000.0)) == []
    assert not backlog_grew(result(backlog_start=900.0, backlog_end=1_000.0), 10_000.0)


def test_percentiles() -> None:
    values = [float(value) for value in range(1, 101)]
    assert percentile(values, 0.5) == 50.0
    assert percentile(values, 0.99) == 99.0
    assert percentile([7.0], 0.99) == 7.0
    assert percentile([], 0.5) is None


def test_the_rate_leaves_the_first_tenth_out() -> None:
    slow = [second * 1_000_000_000 for second in range(1, 11)]  # ten in ten seconds
    fast = [slow[-1] + number * 1_000_000 for number in range(1, 91)]  # then 1,000 a second
    assert rate(slow + fast) == pytest.approx(1_000.0)
    assert rate([]) == 0.0
    assert rate([5]) == 0.0


def test_cpu_time_per_reading_and_use_by_others() -> None:
    before = Snapshot(10.0, {"load": 1.0, "broker": 2.0}, own=0.5, machine=100.0, received=1_000)
    after = Snapshot(20.0, {"load": 1.1, "broker": 4.0}, own=0.6, machine=106.2, received=11_000)
    spent = use(before, after, cores=2)
    assert spent.cpu_us == pytest.approx({"load": 10.0, "broker": 200.0})
    assert spent.others == pytest.approx((6.2 - 2.2) / 20.0)


def test_the_document_has_its_keys_and_the_report_says_what_failed() -> None:
    found = Measured({"cores": "2"}, wanted=1, readings=1_000, lane=True, pairs=[pair(10, 20)], ledger=dict(LEDGER))
    disturbed = result(latencies_ms=(9.0,), others=0.5), 1_000.0
    found.paced = [disturbed, (result(latencies_ms=(1.0, 2.0, 3.0)), 1_000.0)]
    found.failures = failures([result(received=999)], LEDGER, None)
    counted = count_pairs(found.pairs)
    said = document(found, counted)
    assert (said["ratio"], said["ratio_qos1"], said["p50_ms"], said["p99_ms"]) == (0.5, 1.0, 2.0, 3.0)
    assert said["cpu_us"] == {"load": 2.0, "ingest": 6.4}
    assert said["failed"]
    assert "FAILED    product: 1 of 1,000" in text(found, counted)


def test_values_that_were_not_measured_are_null() -> None:
    found = Measured({}, wanted=1, readings=1_000, lane=True, pairs=[Pair(None, None, result())])
    said = document(found, count_pairs(found.pairs))
    assert (said["floor_qos0_per_s"], said["ratio"], said["p50_ms"], said["unaccounted"]) == (None, None, None, None)
