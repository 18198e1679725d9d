"""The live parts: rendered once for all viewers, first everything, then changes; bounded, and ended in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from admin.console import holders, stream
from admin.console.holders import Holder
from admin.console.stream import (
    CALM_POLLS,
    ENDED,
    MAX_BEHIND,
    MAX_POLL_MS,
    POLL_MS,
    POLLED_TOPICS,
    RETRY_MS,
    SESSION_STREAMS,
    Hub,
    Live,
    Topic,
)

TOPIC = Topic("overview", "viewer", "en")
PROGRAM = Holder("key", False, lambda: False, lambda: True)


def browser(name: str = "session") -> Holder:
    return Holder(name, True, lambda: False, lambda: True)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "TICK_S", 0.01)


class Source:
    """What a topic shows; counts how often it was asked."""

    def __init__(self, **regions: str) -> None:
        self.regions = regions
        self.events: dict[str, str] = {}
        self.asked = 0

    def __call__(self, topic: Topic) -> Live:
        assert topic == TOPIC
        self.asked += 1
        return Live(dict(self.regions), dict(self.events))


async def following(messages: AsyncIterator[bytes]) -> str:
    return (await asyncio.wait_for(anext(messages), 10)).decode()


async def polled(hub: Hub, source: Source, shown: str = "") -> str:
    """What a window beyond the streams of its session gets."""
    answer = [each async for each in hub.subscribe(TOPIC, source, browser(), shown)]
    assert len(answer) == 1
    return answer[0].decode()


def shown_by(answer: str) -> str:
    return answer.split("\nid: ")[1].split("\n")[0]


def retry_of(answer: str) -> int:
    return int(answer.split("\nretry: ")[1].split("\n")[0])


def run(test: Callable[[Hub], Awaitable[None]], streams: int = 5) -> None:
    """Runs on a separate thread, because Playwright's browser keeps an event loop running on the main one."""

    async def limited() -> None:
        await asyncio.wait_for(test(Hub(streams)), 30)

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, limited()).result()


def test_a_stream_sends_everything_first_and_then_changes() -> None:
    async def test(hub: Hub) -> None:
        source = Source(watch="a", flow="b", feed="c")
        messages = hub.subscribe(TOPIC, source, PROGRAM)
        first = await following(messages)
        assert all(f'hx-target="#{name}"' in first for name in ("watch", "flow", "feed"))
        source.regions["flow"] = "b\n2"
        changed = await following(messages)
        assert changed == 'data: <hx-partial hx-target="#flow" hx-swap="innerHTML">b\ndata: 2</hx-partial>\n\n'
        source.regions.update(feed="c2", watch="a2")
        apart = (await following(messages)).split("\n\n")
        assert ["#feed" in part for part in apart[:2]] == [False, True]  # so that a page can drop the feed alone
        source.events["point"] = "[1]"
        assert await following(messages) == "event: point\ndata: [1]\n\n"
        await messages.aclose()  # type: ignore[attr-defined]
        assert hub.streams == 0

    run(test)


def test_a_topic_is_rendered_once_for_all_viewers_and_never_without_any() -> None:
    async def test(hub: Hub) -> None:
        source = Source(watch="0")
        many = [hub.subscribe(TOPIC, source, PROGRAM) for _ in range(50)]
        for messages in many:
            assert ">0<" in await following(messages)
        before = source.asked
        source.regions["watch"] = "1"
        for messages in many:
            assert ">1<" in await following(messages)
        assert source.asked - before < 50
        for messages in many:
            await messages.aclose()  # type: ignore[attr-defined]
        await asyncio.sleep(0.05)
        before = source.asked
        await asyncio.sleep(0.05)
        assert source.asked == before

    run(test, streams=60)


def test_a_window_beyond_the_streams_of_its_session_gets_what_changed_and_asks_again() -> None:
    async def test(hub: Hub) -> None:
        source = Source(watch="a", flow="b")
        source.events["tick"] = "1"
        kept = [hub.subscribe(TOPIC, source, browser()) for _ in range(SESSION_STREAMS)]
        for each in kept:
            await following(each)
        first = await polled(hub, source)
        assert all(part in first for part in ('"#watch"', '"#flow"', "event: tick", f"retry: {POLL_MS}"))
        same = await polled(hub, source, shown_by(first))
        assert same == f"event: again\ndata: \nid: {shown_by(first)}\nretry: {POLL_MS}\n\n"
        asked = source.asked
        await asyncio.gather(*(polled(hub, source) for _ in range(50)))
        assert source.asked - asked < 50  # rendered for the streams, once for all
        source.regions["flow"] = "b2"
        while '"#flow"' not in (changed := await polled(hub, source, shown_by(first))):
            await asyncio.sleep(0.01)
        assert '"#watch"' not in changed
        assert "event: tick" not in changed
        assert await polled(hub, source, ";:" * 9_000 + "flow:0;\x00") != changed  # nonsense says that nothing is shown

        await kept.pop().aclose()  # type: ignore[attr-defined]
        messages = hub.subscribe(TOPIC, source, browser(), shown_by(changed))
        assert await following(messages) == f"event: live\ndata: \nid: \nretry: {RETRY_MS}\n\n"
        source.regions["flow"] = "b3"
        assert '"#flow"' in await following(messages)  # it has a stream now
        other = hub.subscribe(TOPIC, source, browser("another"))
        assert '"#watch"' in await following(other)
        for each in (*kept, messages, other):
            await each.aclose()  # type: ignore[attr-defined]
        assert hub.streams == 0

    run(test, streams=10)


def test_windows_without_streams_share_what_is_rendered_and_slow_down_when_there_are_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream, "TICK_S", 60.0)
    elsewhere = Topic("watch", "viewer", "en")

    async def test(hub: Hub) -> None:
        kept = [hub.subscribe(elsewhere, lambda _: Live({}), browser()) for _ in range(SESSION_STREAMS)]
        for each in kept:
            await following(each)
        source = Source(watch="a")
        found = await asyncio.gather(*(polled(hub, source) for _ in range(CALM_POLLS - 1)))
        assert source.asked == 1
        assert {retry_of(each) for each in found} == {POLL_MS}
        assert POLL_MS < retry_of(await polled(hub, source)) <= MAX_POLL_MS
        for number in range(2 * POLLED_TOPICS):  # any number of pages that differ
            await anext(hub.subscribe(Topic("device", "viewer", "en", str(number)), lambda _: Live({}), browser()))
        assert hub.streams == SESSION_STREAMS
        assert not hub.is_full
        assert hub.has_room("session")
        hub.close()
        assert not hub.has_room("session")

    run(test)


def test_a_full_server_has_room_for_windows_beside_streams_of_their_session() -> None:
    async def test(hub: Hub) -> None:
        source = Source(watch="a")
        kept = [hub.subscribe(TOPIC, source, browser()) for _ in range(SESSION_STREAMS)]
        for each in kept:
            await following(each)
        assert hub.is_full
        assert hub.has_room("session")
        assert not hub.has_room("another")
        assert not hub.has_room("")

    run(test, streams=SESSION_STREAMS)


def test_very_many_topics_are_each_rendered_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "TICK_S", 0.35)
    assert [stream.tick_s(topics) for topics in (1, 20, 40, 500)] == [0.35, 0.35, 0.7, 1.0]


@pytest.mark.parametrize("by", ["this process", "another process", "an error"])
def test_the_streams_of_a_session_end_with_it_and_others_stay(monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    monkeypatch.setattr(holders, "LOOK_S", 0.02 if by != "another process" else 60.0)
    monkeypatch.setattr(holders, "CHECK_S", 0.02 if by == "another process" else 60.0)
    asked: list[str] = []
    is_over = False

    def has_ended() -> bool:
        asked.append("look")
        if is_over and by == "an error":
            raise ValueError
        return is_over

    async def test(hub: Hub) -> None:
        nonlocal is_over
        session = Holder("session", True, has_ended, lambda: not is_over)
        ending = [hub.subscribe(TOPIC, Source(watch="a"), session) for _ in range(2)]
        other = Source(watch="a")
        staying = hub.subscribe(TOPIC, other, browser("another"))
        for each in (staying, *ending):
            await following(each)
        is_over = True
        for each in ending:
            assert await following(each) == ENDED.decode()
            with pytest.raises(StopAsyncIteration):
                await anext(each)
        other.regions["watch"] = "b"
        assert ">b<" in await following(staying)
        await staying.aclose()  # type: ignore[attr-defined]
        count = len(asked)
        await asyncio.sleep(0.05)
        assert len(asked) == count  # without streams, nobody is asked

    run(test)


def test_a_key_is_looked_at_once_for_all_its_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holders, "LOOK_S", 0.02)
    answers = [False, False, True]

    async def test(_hub: Hub) -> None:
        ended: list[holders.Queue] = []
        program = Holder("key", False, lambda: answers.pop(0), lambda: True)
        queues: list[holders.Queue] = [asyncio.Queue() for _ in range(30)]
        held = holders.Holders(ended.append)
        for queue in queues:
            held.add(program, queue)
        while not ended:
            await asyncio.sleep(0)
        assert set(ended) == set(queues)
        assert answers == []
        for queue in queues:
            held.remove(program, queue)

    run(test)


def test_a_slow_browser_is_disconnected_and_others_are_not() -> None:
    async def test(hub: Hub) -> None:
        source = Source(watch="a")
        slow, quick = (hub.subscribe(TOPIC, source, PROGRAM) for _ in range(2))
        await following(slow)
        await following(quick)
        for number in range(MAX_BEHIND + 5):
            source.regions["watch"] = str(number)
            assert f">{number}<" in await following(quick)
        with pytest.raises(StopAsyncIteration):
            while True:
                await following(slow)
        await quick.aclose()  # type: ignore[attr-defined]

    run(test)


def test_streams_are_bounded_and_end_when_the_server_stops() -> None:
    async def test(hub: Hub) -> None:
        assert not hub.is_full
        messages = [hub.subscribe(TOPIC, Source(watch="a"), PROGRAM) for _ in range(2)]
        for each in messages:
            await following(each)
        assert hub.is_full
        hub.close()
        for each in messages:
            with pytest.raises(StopAsyncIteration):
                while True:
                    await following(each)
        assert hub.is_full

    run(test, streams=2)


def test_parts_that_cannot_be_made_are_logged_once_and_made_again(caplog: pytest.LogCaptureFixture) -> None:
    """Each try used to log the whole traceback, three times a second for each topic."""

    async def test(hub: Hub) -> None:
        source = Source(watch="a")
        broken = 0

        def look(topic: Topic) -> Live:
            nonlocal broken
            if source.regions["watch"] == "a" and source.asked:
                broken += 1
                source.regions["watch"] = "a" if broken < 5 else "b"
                raise RuntimeError("a template is missing")
            return source(topic)

        messages = hub.subscribe(TOPIC, look, PROGRAM)
        assert ">a<" in await following(messages)
        assert ">b<" in await following(messages)
        await messages.aclose()  # type: ignore[attr-defined]
        assert broken == 5

    run(test)
    assert [each.getMessage() for each in caplog.records] == ["the live parts of overview cannot be made"]
