"""The live parts: rendered once for all viewers, first everything, then changes; bounded, and ended in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from admin.console import stream
from admin.console.stream import ENDED, MAX_BEHIND, Hub, Live, Topic

TOPIC = Topic("overview", "viewer", "en")


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


def run(test: Callable[[Hub], Awaitable[None]], streams: int = 5) -> None:
    """Runs on a separate thread, because Playwright's browser keeps an event loop running on the main one."""

    async def limited() -> None:
        await asyncio.wait_for(test(Hub(streams)), 30)

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, limited()).result()


def test_a_stream_sends_everything_first_and_then_changes() -> None:
    async def test(hub: Hub) -> None:
        source = Source(watch="a", flow="b", feed="c")
        messages = hub.subscribe(TOPIC, source, lambda: True)
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
        many = [hub.subscribe(TOPIC, source, lambda: True) for _ in range(50)]
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


def test_a_stream_ends_with_its_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "CHECK_S", 0.02)

    async def test(hub: Hub) -> None:
        messages = hub.subscribe(TOPIC, Source(watch="a"), lambda: False)
        await following(messages)
        assert await following(messages) == ENDED.decode()
        with pytest.raises(StopAsyncIteration):
            await anext(messages)

    run(test)


def test_a_slow_browser_is_disconnected_and_others_are_not() -> None:
    async def test(hub: Hub) -> None:
        source = Source(watch="a")
        slow, quick = (hub.subscribe(TOPIC, source, lambda: True) for _ in range(2))
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
        messages = [hub.subscribe(TOPIC, Source(watch="a"), lambda: True) for _ in range(2)]
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
