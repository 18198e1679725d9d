"""For any input, the decoder gives readings or reasons, each counted once, and nothing that cannot be stored."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import datetime, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.malformed.corpus import Sample, corpus, ten_megabytes
from tests.malformed.generate import mutated, random_json, samples
from zelador.decode import Decoder, not_numbers
from zelador.messages import Arrival, encode_json
from zelador.settings import Settings

NOW = int(datetime(2026, 11, 24, 12, tzinfo=timezone.utc).timestamp() * 1000)
TOPIC = "sensors/press-07/reading"
RANGES = ((0.0, 200_000.0), (-100.0, 1_000.0), (0.0, 1_000.0))
LONGEST_REASON = 300  # characters: a person reads it, and the quarantine keeps 10,000 of them
DECODER = Decoder(Settings())
decode_entry = msgspec.json.Decoder(Arrival).decode


def judge(payload: bytes) -> tuple[int, int]:
    """The numbers of accepted and refused readings, after checking them."""
    arrival, refused = DECODER.decode(TOPIC, payload, NOW)
    readings = arrival.readings if arrival else ()
    assert len(readings) + len(refused) >= (1 if payload else 0)
    assert (arrival is None) == (not readings)
    for reason, raw in refused:
        assert 0 < len(reason) <= LONGEST_REASON
        reason.encode()
        assert raw == payload or raw in payload
    if len(readings) + len(refused) > 1:  # only an array that could be read is more than one
        assert payload.lstrip(b" \t\r\n")[:1] == b"["
        json_payload = not_numbers.replaced(payload) or payload
        assert len(msgspec.json.decode(json_payload, type=list[msgspec.Raw])) == len(readings) + len(refused)
    if arrival:
        entry = encode_json(arrival)
        assert decode_entry(entry) == arrival
        assert len(json.loads(entry)["readings"]) == len(readings)  # by another reader as well
    for reading in readings:
        assert all(low <= value <= high for value, (low, high) in zip(reading.values, RANGES, strict=True))
        assert all(text.isprintable() and 0 < len(text) <= 128 for text in (reading.id, reading.label or "-"))
        assert NOW - 365 * 86_400_000 <= reading.measured_at <= NOW + 86_400_000
    return len(readings), len(refused)


@pytest.mark.parametrize("kind", sorted({sample.kind for sample in corpus() + ten_megabytes()}))
def test_the_corpus_has_the_expected_counts(kind: str) -> None:
    chosen = [sample for sample in corpus() + ten_megabytes() if sample.kind == kind]
    wrong = [
        (sample.payload[:200], found, (sample.good, sample.refused))
        for sample in chosen
        if (found := judge(sample.payload)) != (sample.good, sample.refused)
    ]
    assert wrong == []


def test_thirty_thousand_payloads_of_a_seed_are_accounted_for() -> None:
    outcome = Counter[str]()
    for sample in samples(7, 30_000):
        good, refused = judge(sample.payload)
        assert sample.good in (None, good)
        assert sample.refused in (None, refused)
        outcome["taken" if not refused else "partly" if good else "refused"] += 1
    assert min(outcome["taken"], outcome["partly"], outcome["refused"]) > 300, outcome


def test_equal_seeds_give_equal_payloads() -> None:
    assert list(samples(3, 600)) == list(samples(3, 600)) != list(samples(4, 600))


payloads = st.builds(
    lambda chance, pair, number: mutated(chance, [sample.payload for sample in pair], number),
    st.randoms(use_true_random=False),
    st.lists(st.sampled_from([sample for sample in corpus() if len(sample.payload) < 1_000]), min_size=1, max_size=2),
    st.integers(0, 1_000),
)
json_payloads = st.integers(0, 2**64).map(lambda seed: json.dumps(random_json(random.Random(seed), 0)).encode())


@given(payloads | json_payloads | st.binary(max_size=300) | st.binary(max_size=60).map(lambda raw: b"[" + raw + b"]"))
def test_any_payload_is_accounted_for(payload: bytes) -> None:
    judge(payload)


def test_the_first_samples_cover_all_kinds() -> None:
    """All kinds of payloads occur among them."""
    kinds = {sample.kind for sample in corpus() + ten_megabytes()}
    assert {"truncated", "deep", "not a number", "wrong shape", "encoding", "10 MB", "partly", "good"} <= kinds
    assert all(isinstance(sample, Sample) for sample in corpus())
