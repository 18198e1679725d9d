"""Every Redis key, in one place. docs/contracts.md has the same table for people.

All keys share one hash tag, so that a script may touch them together in a cluster.
"""

from __future__ import annotations

from dataclasses import dataclass

GROUP = "inference"  # the consumer group of the workers


@dataclass(frozen=True, slots=True)
class Keys:
    """| key | type | written by | lives |
    |---|---|---|---|
    | readings | stream | append, readmit | trimmed below what every group finished, above keep_readings |
    | quarantine | stream | append, settle, readmit, discard, tidy | keep_quarantine entries, bytes and seconds |
    | predictions | stream | settle | keep_predictions entries, the newest |
    | ledger | hash | append, settle, readmit, discard | for ever: ten integers, and each writer's last batch |
    | seen:0, seen:1 | set | append | repeat_window ids each, in turn |
    | marks | list | append, settle | one for each 1/200 of keep_readings that the stream holds |
    | missing | sorted set | append | the 1,000 devices that miss most |
    | devices | sorted set | append | keep_devices_s after the device was last heard |
    | device:<id> | hash | append, settle | keep_devices_s after the device was last heard |
    | registry-seen | string (JSON) | services, zelador models accept | for ever: one, replaced |
    | hung:<digest> | string (integer) | inference | one hour after the model last hung a worker |
    | worker:<service>:<instance> | hash | each process | 10 s after its last beat |
    """

    prefix: str

    def _key(self, name: str) -> str:
        return f"{{{self.prefix}}}:{name}"

    @property
    def readings(self) -> str:
        return self._key("readings")

    @property
    def quarantine(self) -> str:
        return self._key("quarantine")

    @property
    def predictions(self) -> str:
        return self._key("predictions")

    @property
    def ledger(self) -> str:
        return self._key("ledger")

    @property
    def seen(self) -> tuple[str, str]:
        return self._key("seen:0"), self._key("seen:1")

    @property
    def marks(self) -> str:
        """How many readings came before an entry, so that trimming has nothing to count."""
        return self._key("marks")

    @property
    def missing(self) -> str:
        """Devices by how many of their sequence numbers never came."""
        return self._key("missing")

    @property
    def devices(self) -> str:
        return self._key("devices")

    def device(self, device_id: str) -> str:
        return self._key(f"device:{device_id}")

    def worker(self, service: str, instance: str) -> str:
        return self._key(f"worker:{service}:{instance}")

    def hung(self, digest: str) -> str:
        """How often the model of that digest hung its worker."""
        return self._key(f"hung:{digest}")

    @property
    def registry_seen(self) -> str:
        """The newest entry of the registry's log that a service saw."""
        return self._key("registry-seen")

    @property
    def selected(self) -> str:
        """Publish/subscribe channel: a selection was made (it only wakes the workers)."""
        return self._key("selected")
