"""Every Redis key, in one place. docs/contracts.md has the same table for people.

All keys share one hash tag, so that a script may touch them together in a cluster.
"""

from __future__ import annotations

from dataclasses import dataclass

GROUP = "inference"  # the consumer group of the workers
ARCHIVE = "archive"  # the archive's consumer group: its last delivered id is the last entry that is archived


@dataclass(frozen=True, slots=True)
class Keys:
    """| key | type | written by | lives |
    |---|---|---|---|
    | readings | stream | append, readmit | until every group has finished it, then up to keep_readings, keep_bytes |
    | requests | hash | append, settle | response topic and correlation data, until their entry is settled |
    | quarantine | stream | append, settle, readmit, discard, tidy | keep_quarantine entries, bytes and seconds |
    | quarantine-index, -order, -entries, -bytes | hash, sorted sets | as quarantine | with its entries: their devices |
    | outcomes | stream | settle | predictions of batches, until they are archived; while an archive is registered |
    | archive-seen | string (JSON) | archive_done | forever: the newest entry of the archive's log |
    | predictions | stream | settle | keep_predictions entries, the newest |
    | ledger | hash | append, settle, readmit, discard, measure | forever: integers, and each writer's last batch |
    | ledger-marks | stream | API, inference | the ledger's counts once in a quarter of an hour, the newest 300 |
    | seen:0, seen:1 | set | append | repeat_window readings each, in turn |
    | repeating | hash | append | the last 100 readings of 1,000 devices that have repeats among them |
    | late-labels:0, late-labels:1 | hash | append | labels that came with repeats; 8 MiB each, in turn |
    | labels | stream | label, unlabel | forever: labels of periods, and that one was undone; 30,000 labels, 16 MiB |
    | labels-index | hash | label, unlabel | forever: as labels, by id; and sums of bytes |
    | windows | sorted set | assemble | the open windows, by the time when they close; 10,000 |
    | window:<profile>/<device> | hash | assemble | until it is complete or due |
    | parts-seen:<writer> | hash | assemble | a week; one entry for each packet id of MQTT (65,535) |
    | unread | string (JSON) | ingest | a day: topics that no profile reads, at most 1,000 |
    | unread-gate | string (JSON) | `zelador up` | as unread |
    | marks | list | append, settle, measure | one for each 1/200 of keep_readings, of keep_bytes, in the stream |
    | missing | sorted set | append | the 1,000 devices with the most missing numbers |
    | devices | sorted set | append | keep_devices of them, keep_devices_s after the device was last heard |
    | device:<id> | hash | append | as its entry in devices |
    | last-predictions | hash | settle | as devices: the newest prediction of each |
    | states | hash | settle, sweep, device_act | as devices: their states; the field '' while all are silent |
    | states-<state> | sorted set | as states | the devices in a state, by the time since when |
    | announce | hash | settle, sweep, device_act, announced | until the broker has the state: device → version |
    | announce-run | hash | announcing | forever: the run of Redis that states were last published from, and a version |
    | device-events | stream | settle, sweep, device_act | the newest 20,000 changes of devices' states |
    | due | sorted set | settle, sweep, device_act | devices by the time at which the sweep looks at them |
    | silence-seen | string | sweep | forever: up to which time of their last message devices were checked for silence |
    | webhook-at | string | inference | forever: the last change of a state that the webhook took, and its number |
    | alarm-keeper | string | inference | the worker that sweeps and publishes states: a lease of 5 s |
    | registry-seen | string (JSON) | services, zelador models accept | forever: one record, replaced |
    | doctor | string | API, zelador doctor | at most 10 s: to test whether writes are accepted |
    | hung:<digest> | string (integer) | inference | one hour after the model last hung a worker |
    | worker:<service>:<instance> | hash | each process | 10 s after its last heartbeat |
    | audit | stream, group admin | command line | until they are in the admin server's file; the newest 2,000 |
    | workers | sorted set | each process | an hour after each process's last heartbeat |
    | training-jobs | stream | submit, finish (training_queue) | the newest 1,000 |
    | run:<id> | string (JSON) | API, trainer | 7 days |
    | run-cancel:<id> | string | cancel (training_queue) | 7 days |
    | run-enough:<id> | string | API | 7 days: who wants the run to finish with what it has |
    | run-events:<id> | stream | trainer | 7 days: its events, at most 400 |
    | run-claim:<reason> | string | trainer | a day: a run was started automatically, for this reason |
    | session:<digest> | string | console | 12 h, or until sign-out: the id of the key that signed in |
    | sessions:<key> | sorted set | console | 12 h: the 50 newest sessions of a key |
    | run-current | string | API, trainer | while a run is queued (7 days at most) or running (a lease of 15 s) |
    """

    prefix: str

    def _key(self, name: str) -> str:
        return f"{{{self.prefix}}}:{name}"

    @property
    def readings(self) -> str:
        return self._key("readings")

    @property
    def last_predictions(self) -> str:
        """The last prediction of each device, as a JSON array: label, confidence, predicted_at, model."""
        return self._key("last-predictions")

    @property
    def requests(self) -> str:
        """Response topic and correlation data of requests, by the entry of `readings`."""
        return self._key("requests")

    @property
    def quarantine(self) -> str:
        return self._key("quarantine")

    @property
    def predictions(self) -> str:
        return self._key("predictions")

    @property
    def outcomes(self) -> str:
        """Predictions that wait for the archive."""
        return self._key("outcomes")

    @property
    def archive_seen(self) -> str:
        """The newest entry of the archive's log that it has reported."""
        return self._key("archive-seen")

    @property
    def ledger(self) -> str:
        return self._key("ledger")

    @property
    def ledger_marks(self) -> str:
        """The ledger's counts, once in a quarter of an hour."""
        return self._key("ledger-marks")

    @property
    def seen(self) -> tuple[str, str]:
        return self._key("seen:0"), self._key("seen:1")

    @property
    def repeating(self) -> str:
        """The last 100 readings of devices that have repeats among them."""
        return self._key("repeating")

    @property
    def late_labels(self) -> tuple[str, str]:
        """Labels that came with a repeat, by the reading's key (lua/repeats.lua)."""
        return self._key("late-labels:0"), self._key("late-labels:1")

    @property
    def labels(self) -> str:
        """The labels that were given to periods afterwards, and which of them were undone."""
        return self._key("labels")

    @property
    def labels_index(self) -> str:
        """The ids of labels, and the bytes of all and of each device's."""
        return self._key("labels-index")

    @property
    def windows(self) -> str:
        """Open windows of devices with one topic a value, by the time when they close."""
        return self._key("windows")

    def parts_seen(self, writer: str) -> str:
        """The last value with each packet id, to recognize one that the broker sends again."""
        return self._key(f"parts-seen:{writer}")

    @property
    def unread(self) -> str:
        """Topics that no profile reads, as an ingester found them."""
        return self._key("unread")

    @property
    def unread_gate(self) -> str:
        """Topics that no profile reads, as the gate of `zelador up` found them."""
        return self._key("unread-gate")

    @property
    def marks(self) -> str:
        """Numbers of readings and bytes before an entry, so that trimming does not have to count."""
        return self._key("marks")

    @property
    def missing(self) -> str:
        """Devices by the number of their missing sequence numbers."""
        return self._key("missing")

    @property
    def devices(self) -> str:
        return self._key("devices")

    def device(self, device_id: str) -> str:
        return self._key(f"device:{device_id}")

    @property
    def states(self) -> str:
        """The state of each device (lua/alarms.lua)."""
        return self._key("states")

    def in_state(self, state: str) -> str:
        """The devices in a state, by the time since which they are in it."""
        return self._key(f"states-{state}")

    @property
    def announce(self) -> str:
        """Devices whose state is not published yet, with its version."""
        return self._key("announce")

    @property
    def announce_run(self) -> str:
        """The run of Redis from which states were last published, and the lowest version that they have since."""
        return self._key("announce-run")

    @property
    def device_events(self) -> str:
        """Changes of devices' states."""
        return self._key("device-events")

    @property
    def due(self) -> str:
        """Devices by the time at which the sweep looks at them."""
        return self._key("due")

    @property
    def silence_seen(self) -> str:
        """Up to which time of their last message devices were checked for silence."""
        return self._key("silence-seen")

    @property
    def webhook_at(self) -> str:
        """The id of the last change of a device's state that was sent to the webhook, and its number."""
        return self._key("webhook-at")

    @property
    def alarm_keeper(self) -> str:
        """The worker that sweeps for silence and publishes states."""
        return self._key("alarm-keeper")

    def worker(self, service: str, instance: str) -> str:
        return self._key(f"worker:{service}:{instance}")

    def session(self, digest: str) -> str:
        """A session of the console, by the SHA-256 of its cookie."""
        return self._key(f"session:{digest}")

    def sessions(self, key: str) -> str:
        """The sessions of a key, by the time when they began."""
        return self._key(f"sessions:{key}")

    def hung(self, digest: str) -> str:
        """How often the model with this digest has hung its worker."""
        return self._key(f"hung:{digest}")

    @property
    def workers(self) -> str:
        """The names of processes, by the time of their last heartbeat."""
        return self._key("workers")

    @property
    def registry_seen(self) -> str:
        """The newest entry of the registry's log that any service has seen."""
        return self._key("registry-seen")

    @property
    def probe(self) -> str:
        """Written to test whether writes are accepted."""
        return self._key("doctor")

    @property
    def audit(self) -> str:
        """Acts of the command line on their way to the admin server's audit file."""
        return self._key("audit")

    @property
    def selected(self) -> str:
        """Publish/subscribe channel: a selection was made (it only wakes the workers)."""
        return self._key("selected")

    @property
    def training_jobs(self) -> str:
        """The stream of training runs that were submitted."""
        return self._key("training-jobs")

    @property
    def run_current(self) -> str:
        """The id of the training run that is active."""
        return self._key("run-current")

    def run(self, run: str) -> str:
        """The record of a training run."""
        return self._key(f"run:{run}")

    def run_cancel(self, run: str) -> str:
        """Who requested the cancellation of a training run."""
        return self._key(f"run-cancel:{run}")

    def run_enough(self, run: str) -> str:
        """Who wants a training run to finish with the candidates that it has compared."""
        return self._key(f"run-enough:{run}")

    def run_events(self, run: str) -> str:
        """The events of a training run, each under its number."""
        return self._key(f"run-events:{run}")

    def run_claim(self, once: str) -> str:
        """Set when a run was started automatically, for this reason."""
        return self._key(f"run-claim:{once}")
