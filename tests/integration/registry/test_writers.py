"""Eight processes write to one registry while they are killed, and while a bucket replies wrongly or not at all.

The size suits every run; `make test-registry` runs four times as much, with a thousand operations on the bucket too.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.registry_writers import check, let_them_write
from tests.s3_server import BUCKET, TIMEOUT_S, end_faults, run_s3
from zelador.settings import RegistrySettings

TIMES = int(os.environ.get("TEST_REGISTRY_TIMES", "1"))
WRITERS = 8

pytestmark = [pytest.mark.timeout(170 * max(1, TIMES // 2)), pytest.mark.long]


def bucket(options: dict[str, str], **more) -> RegistrySettings:
    return RegistrySettings(url=f"s3://{BUCKET}/site", bucket=[f"{k}={v}" for k, v in options.items()], **more)


def test_a_folder_whose_writers_are_killed(tmp_path: Path) -> None:
    settings = RegistrySettings(url=str(tmp_path / "registry"))
    check(settings, let_them_write(settings, tmp_path, writers=WRITERS, kills=50 * TIMES, done=500 * TIMES), 500)


def test_a_bucket_whose_writers_are_killed(tmp_path: Path) -> None:
    with run_s3() as options:
        settings = bucket(options)
        check(settings, let_them_write(settings, tmp_path, writers=WRITERS, kills=12 * TIMES, done=125 * TIMES), 125)


def test_a_bucket_of_whose_answers_a_fifth_is_lost_refused_or_late(tmp_path: Path) -> None:
    with run_s3(faults=0.2) as options:
        settings = bucket(options, timeout_s=TIMEOUT_S)
        times = max(TIMES, 2)  # fewer changes would need no checkpoint
        outcome = let_them_write(settings, tmp_path, writers=WRITERS, limit=10 * times)
        end_faults(options)
        assert outcome.said["unknown"] == 0
        check(settings, outcome, 50 * times)
