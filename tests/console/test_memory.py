"""A tab that stays open: what a page shows again must leave nothing behind in the browser."""

from __future__ import annotations

import json
from collections import Counter

from playwright.sync_api import Browser, CDPSession

from tests.console.conftest import Site, window

SHOWN = 40
REGIONS = ("watch", "attention", "ledger", "states", "workers", "feed", "events")
AGAIN = """async ([id, times]) => {
  const region = document.getElementById(id), html = region.innerHTML;
  for (let i = 0; i < times; i++) {
    region.innerHTML = html;
    await new Promise(requestAnimationFrame);
  }
}"""


def objects(session: CDPSession) -> Counter[str]:
    """The objects that a page keeps, those of scripts and the browser's own, by name."""
    parts: list[str] = []
    session.on("HeapProfiler.addHeapSnapshotChunk", lambda sent: parts.append(sent["chunk"]))
    session.send("HeapProfiler.collectGarbage")
    session.send("HeapProfiler.takeHeapSnapshot")
    found = json.loads("".join(parts))
    fields = found["snapshot"]["meta"]["node_fields"]
    names = found["nodes"][fields.index("name") :: len(fields)]
    return Counter(found["strings"][name] for name in names)


def test_regions_that_are_sent_again_leave_no_styles_behind(chromium: Browser, site: Site) -> None:
    with window(chromium, site) as found:
        page = found.open("/console/overview")
        session = page.context.new_cdp_session(page)
        session.send("HeapProfiler.enable")
        counts = []
        for _ in range(2):  # the browser's caches are filled in the first round
            for region in REGIONS:
                page.evaluate(AGAIN, [region, SHOWN])
            counts.append(objects(session))
        grown = {name: count for name, count in (counts[1] - counts[0]).items() if count >= SHOWN}
    assert not [name for name in grown if "Style" in name or "MediaQuery" in name], grown
