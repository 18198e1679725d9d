"""The events of a run over the API: as they happen, after a lost connection, and weeks later."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import httpx
import pytest

from admin.run_streams import RunStreams
from registry.registry import Registry
from registry.run_document import RunDocument
from tests.integration.api.test_api import api_settings, is_problem, serving
from zelador.buffer import connect_redis
from zelador.buffer.keys import Keys
from zelador.clock import now_iso
from zelador.settings import Settings
from zelador.training_queue import Consumer, TrainingQueue
from zelador.training_queue.event import RunEvent, Standing, encode

__all__ = ["api_settings"]
RUN = "20261124_115838-aaaa"
Told = list[tuple[str, str, dict[str, Any]]]  # id, event, data


def told(lines: Iterator[str], until: str = "ended") -> Told:
    """The messages of a stream, up to the first event of that kind."""
    found, message = Told(), dict[str, str]()
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            message[name] = value
        elif "data" in message:
            found.append((message["id"], message["event"], json.loads(message["data"])))
            message = {}
            if found[-1][1] == until:
                break
    return found


def events(client: httpx.Client, run: str, last: str = "") -> Told:
    headers = {"Last-Event-ID": last} if last else {}
    with client.stream("GET", f"/v1/runs/{run}/events", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream"), answer.status_code
        return told(answer.iter_lines())


def happened(number: int, message: str = "a step", **more: Any) -> RunEvent:
    return RunEvent(number, now_iso(), more.pop("kind", "step"), message, **more)


def test_a_run_is_followed_live_and_again_later(api_settings: Settings, eventually: Callable[..., None]) -> None:
    prefix = api_settings.redis.prefix
    best = Standing("lr", "LogisticRegression", 0.9, (0.8, 0.95), 0.3, None)
    with connect_redis(api_settings.redis) as redis, serving(api_settings) as client:
        queue, trainer = TrainingQueue(redis, prefix), Consumer(redis, prefix)
        queue.submit(RUN, {}, "test")
        trainer.next("trainer-1", 0.05)
        job = trainer.next("trainer-1", 0.05)
        assert job is not None
        job = trainer.begin(job)
        started = happened(1, "fetching", kind="started")
        trainer.report(job, started)
        seen = list[Told]()
        thread = threading.Thread(target=lambda: seen.append(events(client, RUN)))
        with client.stream("GET", f"/v1/runs/{RUN}/events") as answer:  # a client that loses its connection
            assert told(answer.iter_lines(), "started")[0][2]["message"] == "fetching"
        thread.start()
        ended = happened(2, "compared", kind="candidate_ended", candidate=best, leaderboard=(best,), time_left_s=9.0)
        trainer.report(job, ended)
        assert client.get(f"/v1/runs/{RUN}").json()["progress"] == "compared"
        registry = Registry.open(api_settings.registry)
        document = {"run": RUN, "by": "test", "started_at": now_iso(), "state": "done"}
        registry.put_run(RUN, cast(RunDocument, document))
        registry.put_run_events(RUN, encode([started, ended]))
        trainer.finish(job, "done", result={})
        thread.join(30)
        (whole,) = seen
        assert [(number, kind) for number, kind, _ in whole] == [
            ("1", "started"), ("2", "candidate_ended"), ("3", "ended"),
        ]  # fmt: skip
        assert whole[1][2]["leaderboard"] == [json.loads(encode(best))]
        assert (whole[1][2]["candidate"]["score"], whole[1][2]["time_left_s"]) == (0.9, 9.0)
        assert whole[2][2]["state"] == "done"
        assert events(client, RUN) == whole
        assert events(client, RUN, last="1") == whole[1:]
        over = client.get(f"/v1/runs/{RUN}/events", headers={"Last-Event-ID": "3"})
        assert (over.status_code, over.content) == (204, b"")
        redis.delete(Keys(prefix).run(RUN), Keys(prefix).run_events(RUN))  # a week later
        assert [each[:2] for each in events(client, RUN)] == [each[:2] for each in whole]

        for bad in ("nine", "-1", "1.5", "٣".encode()):
            refused = client.get(f"/v1/runs/{RUN}/events", headers={"Last-Event-ID": bad})
            assert "Last-Event-ID" in is_problem(refused, 422, "invalid-input")["detail"]
        is_problem(client.get("/v1/runs/none/events"), 404, "not-found")
        registry.put_run_events(RUN, b'[{"number": "nine"}]')  # an unreadable line is not an event
        eventually(lambda: [each[1] for each in events(client, RUN)] == ["ended"], "a new look")

        queue.submit("20261124_115839-bbbb", {}, "test")  # canceled while it waits: its end has an event too
        assert client.post("/v1/runs/20261124_115839-bbbb/finish").status_code == 409
        queue.cancel("20261124_115839-bbbb", "key 2")
        ((_, kind, data),) = events(client, "20261124_115839-bbbb")
        assert (kind, data["state"], data["error"]) == ("ended", "cancelled", "cancelled by key 2")


def test_a_stopping_server_and_a_revoked_key_end_streams(
    api_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("admin.run_streams.CHECK_S", 0.1)
    monkeypatch.setattr(RunStreams, "is_full", property(lambda self: self._closed or self._open >= 2))
    with connect_redis(api_settings.redis) as redis, serving(api_settings) as client:
        TrainingQueue(redis, api_settings.redis.prefix).submit(RUN, {}, "test")
        made = client.post("/v1/keys", json={"role": "viewer"}).json()
        path, key = f"/v1/runs/{RUN}/events", {"Authorization": f"Bearer {made['key']}"}
        with client.stream("GET", path, headers=key) as first, client.stream("GET", path) as second:
            lines = first.iter_lines()
            assert next(lines) == "retry: 2000"
            is_problem(client.get(path), 503, "unavailable")
            assert client.delete(f"/v1/keys/{made['id']}").is_success
            assert told(lines) == []  # which ends
            with client.stream("GET", path) as third:
                assert next(third.iter_lines()) == "retry: 2000"
            left = second.iter_lines()
            assert next(left) == "retry: 2000"
