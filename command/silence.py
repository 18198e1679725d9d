"""Explains why no prediction arrives, for `zelador watch` when it has shown nothing for a while."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import redis

from operations.views.rollout import workers as inference_workers
from zelador import heartbeat
from zelador.buffer import connect_redis
from zelador.errors import ZeladorError
from zelador.ledger import LedgerReader
from zelador.printable import counted
from zelador.settings import Settings, redact

LIMIT_S = 1.0  # for one call


@dataclass(frozen=True, slots=True)
class Report:
    """What the services report. `trouble` says why it is not known."""

    trouble: str | None = None
    received: int = 0
    quarantined: int = 0
    waiting: int = 0
    classified: int = 0
    ingesters: int = 0
    workers: Sequence[Mapping[str, str]] = ()


def look(settings: Settings) -> Report:
    """Reads the report from Redis. Does not raise for an error of Redis."""
    quick = settings.redis.model_copy(update={"timeout_s": min(LIMIT_S, settings.redis.timeout_s)})
    try:
        client = connect_redis(quick)
        try:
            ledger = LedgerReader(client, quick.prefix).read()
            found = heartbeat.workers(client, quick.prefix)
            return Report(
                received=ledger.received,
                quarantined=ledger.quarantined,
                waiting=ledger.waiting,
                classified=ledger.classified,
                ingesters=sum(worker.get("service") == "ingest" for worker in found),
                workers=inference_workers(client, quick.prefix),
            )
        finally:
            client.close()
    except (redis.RedisError, OSError, ZeladorError) as error:
        return Report(trouble=f"Redis at {redact(settings.redis.url)} does not answer ({error})")


def reason(before: Report, now: Report, settings: Settings, device: str | None) -> str:
    """Explains why nothing was shown between two reports, and what to do. Pure."""
    if now.trouble is not None:
        return f"cannot tell why: {now.trouble}; set ZELADOR_REDIS__URL, or use --home"
    if not now.ingesters:
        return "no ingester is running: start it (zelador up, or zelador ingest)"
    modelless = bool(now.workers) and not any(worker.get("model") for worker in now.workers)
    if now.received == before.received and not (now.waiting and modelless):
        where = " or ".join(dict.fromkeys(settings.reading_topics.values()))
        ever = f"{now.received} so far" if now.received else "none so far"
        return f"no reading arrives ({ever}): devices have to publish on {where}; zelador doctor checks the rest"
    arrived, refused = now.received - before.received, now.quarantined - before.quarantined
    if arrived and refused == arrived:
        are = "is" if refused == 1 else "are all"
        return f"{counted(refused, 'message')} arrived and {are} in quarantine: zelador quarantine list says why"
    waits = counted(now.waiting, "reading waits", "readings wait")
    if not now.workers:
        return f"{waits}: no inference worker is running (zelador infer)"
    if modelless:
        refusals = [worker["reason"] for worker in now.workers if worker.get("reason")]
        if refusals:
            return f"{waits}: the workers cannot use the selected model: {refusals[0]}"
        return f"{waits}: no model is selected; choose one with zelador models select NAME"
    if now.classified == before.classified:
        return f"{waits} and none is classified: zelador doctor says why"
    if device is not None:
        return f"predictions are published, but none of the device {device}: check its name in its topic"
    done = counted(now.classified - before.classified, "reading was", "readings were")
    return (
        f"{done} classified, but no prediction arrives here: this user may "
        f"not read {settings.topics.prediction.replace('{device_id}', '+')} (the broker's access list)"
    )
