"""`make bench`: load → MQTT QoS 1 → ingest → Redis → inference → MQTT QoS 1 → subscriber, compared with a relay in C.

    1. Both floors and the product in turn, several times. The result is the median of the paired ratios. Each pair is
       measured in alternating slices, because a shared machine's speed changes within seconds.
    2. In a full run, one minute of open loop at 85 % of the result. The backlog must not grow.
    3. Latency at 1,000 readings a second.

Exit codes: 0 measured; 1 something was lost, repeated, unaccounted or stalled; 2 a program must be installed first.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import redis

from benchmarks import floor, measure, report
from benchmarks.load import BACKLOG, DEVICES
from benchmarks.profiles import redis_commands, tops
from benchmarks.run import Result, Route, measured, merged
from benchmarks.servers import PREFIX, Failed, Stack, check_programs, product, servers
from benchmarks.verdict import DISTURBED, Pair, another_pair, count_pairs, failures, middle
from zelador.errors import Unavailable, ZeladorError
from zelador.ledger import LedgerReader


def product_route(devices: int) -> Route:
    width = max(2, len(str(devices - 1)))  # all packets have the same length
    topics = tuple(f"sensors/machine-{number:0{width}d}/reading" for number in range(devices))
    return Route("product", topics, "sensors/+/prediction", '"reading_id":"')


PRODUCT = product_route(DEVICES)
FLOORS = {qos: Route(f"floor at QoS {qos}", (floor.TOPIC_IN,), floor.TOPIC_OUT, '"id":"', qos) for qos in (0, 1)}
SUSTAINED_SHARE = 0.85  # rate of the open loop, as a share of the result
LATENCY_PER_S = 1_000
MAX_LATENCY_RUNS = 3  # until one run is undisturbed
STARTED = time.monotonic()
SETTLE_S = 10.0  # time limit for the last readings to be settled


@dataclass(frozen=True, slots=True)
class Size:
    pairs: int
    readings: int
    minute_s: int  # duration of the open loop; 0: no open loop
    latency_s: int
    budget_s: float  # after this time no pair is repeated


FULL = Size(pairs=5, readings=100_000, minute_s=60, latency_s=20, budget_s=1_200.0)
QUICK = Size(pairs=3, readings=80_000, minute_s=0, latency_s=6, budget_s=120.0)
SLICE_READINGS = 20_000  # readings of one side before the next side's turn


def main() -> None:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # runs every `finally`, like Ctrl-C
    try:
        check_programs()
        with tempfile.TemporaryDirectory(prefix="zelador-bench-") as folder:
            found = Benchmark(options, Path(folder)).run()
    except Unavailable as error:
        _fail(str(error), 2)
    except (ZeladorError, OSError) as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        sys.exit(130)
    counted = count_pairs(found.pairs)
    print(report.text(found, counted))
    if options.json:
        print(json.dumps(report.document(found, counted)))
    sys.exit(1 if found.failures else 0)


class Benchmark:
    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._options = options
        self._folder = folder
        self._route = product_route(options.devices)
        size = QUICK if options.quick or options.profile else FULL
        pairs = options.pairs or (1 if options.profile else size.pairs)
        budget_s = 0.0 if options.profile else size.budget_s  # a profiled pair is not repeated
        self._size = Size(pairs, options.readings or size.readings, size.minute_s, size.latency_s, budget_s)
        self._next = 1  # number of the next reading; ids are unique in a benchmark, or they would be repeats
        self._found = report.Measured(measure.machine(), pairs, self._size.readings, options.lane, options.profile)
        self._found.devices, self._found.alarms = options.devices, options.alarms

    def run(self) -> report.Measured:
        found, size = self._found, self._size
        with servers(self._folder) as stack:
            if self._options.only == "floor":
                self._pairs(stack)
                return found
            from benchmarks.model import register  # imports the trainer, which a floor does not need

            _say("registering the forest")
            registry = self._folder / "registry"
            model = register(registry)
            _say("starting ingest and infer")
            with product(stack, registry, model, self._options.lane, self._options.profile, self._options.alarms):
                self._pairs(stack)
                self._longer(stack, size)
                found.ledger = _ledger(stack, sum(run.sent for run in found.product))
                if self._options.profile:
                    print(redis_commands(stack.redis_url))
            found.failures = failures(found.product, found.ledger, found.sustained)
            if self._options.profile:
                print(tops(self._folder))
        return found

    def _pairs(self, stack: Stack) -> None:
        """Measures floors and product in turn, so that other load on the machine affects both."""
        only, pairs = self._options.only, self._found.pairs
        started = time.monotonic()
        while another_pair(pairs, self._size.pairs, time.monotonic() - started, self._size.budget_s):
            slices = max(1, self._size.readings // SLICE_READINGS)
            count = self._size.readings // slices + BACKLOG
            sides: tuple[list[Result], ...] = ([], [], [])
            for _ in range(slices):
                if only != "product":
                    sides[0].append(self._floor(stack, 0, count))
                    sides[1].append(self._floor(stack, 1, count))
                if only != "floor":
                    sides[2].append(self._product(stack, count))
                    if not sides[2][-1].exact:
                        break
            pairs.append(Pair(*(merged(side) for side in sides)))
            rates = ", ".join(f"{run.route} {run.per_s:,.0f}/s" for run in pairs[-1].runs)
            _say(f"pair {len(pairs)}: {rates}" + (f" (discarded: {pairs[-1].fault})" if pairs[-1].fault else ""))

    def _longer(self, stack: Stack, size: Size) -> None:
        found = self._found
        if self._options.profile or not all(run.exact for run in found.product):
            return
        result = middle([pair.product.per_s if pair.product else None for pair in count_pairs(found.pairs).pairs])
        if size.minute_s and result:
            per_s = round(SUSTAINED_SHARE * result)
            _say(f"open loop at {per_s:,}/s for {size.minute_s} s")
            found.sustained = self._product(stack, per_s * size.minute_s, per_s), per_s
        for _ in range(MAX_LATENCY_RUNS):
            _say(f"latency at {LATENCY_PER_S:,}/s for {size.latency_s} s")
            run = self._product(stack, LATENCY_PER_S * size.latency_s, LATENCY_PER_S, latency=True)
            found.paced.append((run, LATENCY_PER_S))
            if not run.exact or run.others <= DISTURBED:
                break

    def _product(self, stack: Stack, count: int, per_s: int | None = None, latency: bool = False) -> Result:
        first = self._numbers(count)
        return measured(self._folder, stack.mqtt_port, self._route, stack.programs, first, count, per_s, latency)

    def _floor(self, stack: Stack, qos: int, count: int) -> Result:
        with floor.relay(stack, qos) as both:
            between = {**stack.programs, **{program.name: program for program in both}}
            return measured(self._folder, stack.mqtt_port, FLOORS[qos], between, self._numbers(count), count)

    def _numbers(self, count: int) -> int:
        first, self._next = self._next, self._next + count
        return first


def _ledger(stack: Stack, sent: int) -> dict[str, int]:
    """The product's ledger when the last reading is settled, or after SETTLE_S."""
    with redis.Redis.from_url(stack.redis_url, socket_timeout=5.0) as client:
        reader = LedgerReader(client, PREFIX)
        deadline = time.monotonic() + SETTLE_S
        try:
            while (ledger := reader.read()).classified < sent and time.monotonic() < deadline:
                time.sleep(0.1)
        except redis.RedisError as error:
            raise Failed(f"the ledger cannot be read: {error}") from None
    return dict(cast(Mapping[str, int], ledger.flat()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench", description="End-to-end performance, compared with a relay in C."
    )
    number: Callable[[str], int] = _positive
    parser.add_argument("--quick", action="store_true", help="3 smaller pairs, no open loop: under four minutes")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--pairs", type=number, help="number of undisturbed pairs to measure")
    parser.add_argument("--readings", type=number, help="readings per run")
    parser.add_argument("--only", choices=("product", "floor"), help="measure only one side")
    parser.add_argument("--devices", type=number, default=DEVICES, help=f"number of devices (default: {DEVICES})")
    parser.add_argument(
        "--alarms",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="states of devices (ZELADOR_ALARM__ENABLED)",
    )
    parser.add_argument("--lane", action=argparse.BooleanOptionalAction, default=True, help="the workers' MQTT lane")
    parser.add_argument(
        "--profile", action="store_true", help="run both workers under cProfile; implies --only product"
    )
    options = parser.parse_args()
    if options.profile:
        options.only = "product"
    return options


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def _say(what: str) -> None:
    print(f"{time.monotonic() - STARTED:7.1f} s  {what}", file=sys.stderr, flush=True)


def _fail(message: str, code: int) -> None:
    print(f"zelador: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
