"""make fuzz: mutated device messages, archives and pickles, each of which must end in the right verdict.

    python -m tests.fuzz.run [--messages 1000000] [--archives 400000] [--pickles 200000] [--seconds 900] [--seed 1]

The time is bounded, and the output says what was not done by then. Exit code 1 if an error was not caught or a verdict
is wrong; the input is kept in the folder that is printed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

from tests.fuzz import archives, messages, pickles

Run = Callable[[int, int], Iterator[tuple[bytes, Callable[[bytes], str]]]]
KINDS: dict[str, tuple[Run, int]] = {
    "messages": (messages.run, 1_000_000),
    "archives": (archives.run, 400_000),
    "pickles": (pickles.run, 200_000),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for kind, (_, count) in KINDS.items():
        parser.add_argument(f"--{kind}", type=int, default=count)
    parser.add_argument("--seconds", type=float, default=900.0, help="for all three together")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    until, failed = time.monotonic() + asked.seconds, False
    for left, (kind, (run, _)) in zip((3, 2, 1), KINDS.items(), strict=True):
        now = time.monotonic()
        failed |= not one(kind, run, asked.seed, getattr(asked, kind), now + max(0.0, until - now) / left)
    return 1 if failed else 0


def one(kind: str, run: Callable[[int, int], Iterator[tuple[str, bytes]]], seed: int, count: int, until: float) -> bool:
    """Runs one kind and prints the outcomes. False if an input had an outcome that is not allowed."""
    ended: Counter[str] = Counter()
    done, began, data = 0, time.monotonic(), b""
    inputs = run(seed, count)
    try:
        for data, judge in inputs:
            ended[judge(data)] += 1
            done += 1
            if time.monotonic() > until:
                break
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        traceback.print_exc()
        kept = Path(tempfile.mkdtemp(prefix=f"zelador-fuzz-{kind}-")) / f"seed-{seed}-after-{done}"
        kept.write_bytes(data)
        sys.stdout.write(f"{kind}: FAILED after {done:,}; the input is in {kept}, the seed is {seed}\n")
        return False
    finally:
        if isinstance(inputs, Generator):
            inputs.close()
    told = ", ".join(f"{verdict} {number:,}" for verdict, number in ended.most_common())
    short = "" if done >= count else f" of {count:,}, ended by time"
    sys.stdout.write(f"{kind}: {done:,}{short} in {time.monotonic() - began:.0f} s ({told})\n")
    return True


if __name__ == "__main__":
    sys.exit(main())
