"""Random faults under load, for any length of time: `make soak ARGS="--seconds 120 --kills 8 --json"`.

Runs real servers and real processes, with a schedule from a seed. At the end, when everything has settled, each reading
that a broker acknowledged must have its prediction, or a witness must show that the broker lost it.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections import Counter
from pathlib import Path

from tests.faults.disk import data_folder, filesystem, kept_busy
from tests.faults.memory import Memory
from tests.faults.outside import Awaited
from tests.faults.plan import PROCESSES, Plan, Wrong, arguments, servers
from tests.faults.report import Report
from tests.faults.schedule import Fault
from tests.faults.site import Failed, Shape
from tests.faults.trial import Outcome, Trial
from zelador.errors import Unavailable

TICK_S = 0.02
SAMPLE_S = 1.0
UNWRITTEN_S = 3.0  # how long a kill of Redis waits for confirmed but unwritten bytes
HELD_S = 0.3  # time for a process's work to be on its wire before it is killed
REVIVE_S = 0.5  # processes that ended are started again, as by a supervisor
REST_S = 120.0  # after the last fault, until nothing moves any more


def main() -> None:
    try:
        plan, as_json = arguments(sys.argv[1:])
        shape = servers()
    except (Wrong, Unavailable) as error:
        print(f"soak: {error}", file=sys.stderr)
        sys.exit(2)
    folder = data_folder("zelador-soak-")
    try:
        with kept_busy(folder):
            report = Soak(plan, folder, shape).run()
    except Unavailable as error:
        print(f"soak: {error}", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        sys.exit(2)
    except Failed as failed:  # there is nothing to report yet
        print(f"soak: {failed}\nlogs and data are left in {folder}", file=sys.stderr)
        sys.exit(1)
    print(report.text())
    if as_json:
        print(json.dumps(report.flat()))
    if report.whole():
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"logs and data are left in {folder}", file=sys.stderr)
    sys.exit(0 if report.whole() else 1)


class Soak:
    def __init__(self, plan: Plan, folder: Path, shape: Shape) -> None:
        self._plan = plan
        self._trial = Trial(folder, shape)
        self._kills: Counter[str] = Counter()
        self._others: Counter[str] = Counter()
        self._ended: Counter[str] = Counter()
        self._recoveries: list[tuple[str, Awaited]] = []
        self._memory = Memory()
        self._held: list[tuple[float, Fault]] = []  # when a process on a stalled wire is killed
        self._kills_held = self._kills_unwritten = 0
        self._undo: list[tuple[float, Fault]] = []  # when a fault ends
        self._next_sample = 0.0

    def run(self) -> Report:
        with self._trial as trial:
            with trial.load(self._plan.rate):
                self._under_load()
            came_to_rest = None
            try:
                self._end_faults()
                trial.settle(REST_S)
            except Failed as failed:
                came_to_rest = str(failed).splitlines()[0]
            return self._report(trial.reckon(), came_to_rest)

    def _under_load(self) -> None:
        started = time.monotonic()
        faults = self._plan.faults()
        while (now := time.monotonic()) - started < self._plan.seconds:
            while faults and now - started >= faults[0].at_s:
                self._begin(faults.pop(0), now)
            self._kill_what_is_held(now)
            self._end_what_is_due(now)
            self._look_after(now)
            time.sleep(TICK_S)

    def _begin(self, fault: Fault, now: float) -> None:
        site = self._trial.site
        self._say(f"{fault.kind} of {' – '.join(fault.target)}" + (f", {fault.lasts_s:.1f} s" if fault.lasts_s else ""))
        if fault.kind == "kill":
            (name,) = fault.target
            if site.processes[name].pid is None:  # it is dead already: kill it as it starts
                site.start(name)
            if fault.held is not None:
                site.wires[fault.held].stall()
                self._held.append((now + HELD_S, fault))
                return
            self._kill(name)
        else:
            self._others[fault.kind] += 1
            if fault.kind == "standstill":
                site.processes[fault.target[0]].pause()
            elif fault.kind == "reset":
                site.wires[fault.target].cut()  # type: ignore[index]
                return
            else:
                site.wires[fault.target].stall()  # type: ignore[index]
                site.wires[fault.target].stall_answers()  # type: ignore[index]
        self._undo.append((now + fault.lasts_s, fault))

    def _kill(self, name: str) -> None:
        if name == "redis":
            self._kills_unwritten += self._trial.site.kill_unwritten(UNWRITTEN_S)
            self._recoveries.append((component(name), self._trial.await_the_next()))
        else:
            self._recoveries.append((component(name), self._trial.kill(name)))
        self._kills[component(name)] += 1

    def _kill_what_is_held(self, now: float) -> None:
        for due in [entry for entry in self._held if entry[0] <= now]:
            self._held.remove(due)
            fault = due[1]
            assert fault.held is not None
            self._kill(fault.target[0])
            self._trial.site.wires[fault.held].cut()
            self._trial.site.wires[fault.held].flow()
            self._kills_held += 1
            self._undo.append((now + fault.lasts_s, fault))

    def _end_what_is_due(self, now: float) -> None:
        site = self._trial.site
        for due in [entry for entry in self._undo if entry[0] <= now]:
            self._undo.remove(due)
            fault = due[1]
            if fault.kind == "stall":
                site.wires[fault.target].flow()  # type: ignore[index]
            elif fault.kind == "standstill":
                site.processes[fault.target[0]].resume()
            elif site.processes[fault.target[0]].pid is None:
                site.start(fault.target[0])

    def _look_after(self, now: float) -> None:
        site = self._trial.site
        for name, process in site.processes.items():
            code = process.ended_by_itself
            if code is not None:
                self._say(f"{name} ended by itself ({code}): {process.last_words()[-300:]}")
                self._ended[component(name)] += 1
                process.kill()
                self._undo.append((now + REVIVE_S, Fault(0.0, "kill", (name,))))
        if now >= self._next_sample:
            self._next_sample = now + SAMPLE_S
            self._memory.sample(site.processes, now)

    def _end_faults(self) -> None:
        """After the load: ends every fault, and waits for every process to come back."""
        self._kill_what_is_held(float("inf"))
        self._end_what_is_due(float("inf"))
        deadline = time.monotonic() + REST_S
        while any(awaited.seconds is None for _, awaited in self._recoveries) and time.monotonic() < deadline:
            self._look_after(time.monotonic())
            self._end_what_is_due(time.monotonic())
            self._trial.devices.rate = 20.0  # something to recover with
            time.sleep(TICK_S)
        self._trial.devices.rate = 0.0
        self._end_what_is_due(float("inf"))

    def _report(self, outcome: Outcome, never_rested: str | None) -> Report:
        shape = self._trial.site.shape
        return Report(
            seconds=self._plan.seconds,
            rate=self._plan.rate,
            seed=self._plan.seed,
            servers={"broker": shape.broker, "redis": shape.redis},
            outcome=outcome,
            kills={component(name): self._kills[component(name)] for name in PROCESSES},
            kills_held=self._kills_held,
            kills_unwritten=self._kills_unwritten,
            filesystem=filesystem(self._trial.site.folder),
            others=dict(self._others),
            ended_by_itself=dict(self._ended),
            recoveries=[(name, awaited.seconds) for name, awaited in self._recoveries],
            never_rested=never_rested,
            memory={component(name): grown for name, grown in self._memory.growth([*PROCESSES]).items()},
            memory_over_s={component(name): over for name, over in self._memory.seconds([*PROCESSES]).items()},
        )

    def _say(self, what: str) -> None:
        book, devices = self._trial.book, self._trial.devices
        missing = len(book.missing(max(0, devices.next - 20_000), devices.next))
        print(f"{devices.next:9,} readings, {missing:5,} on their way: {what}", file=sys.stderr, flush=True)


def component(name: str) -> str:
    return name.removesuffix("-1")


if __name__ == "__main__":
    main()
