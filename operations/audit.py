"""The acts of an operator, as the audit log names them. The values are part of the API and never change."""

from __future__ import annotations

from enum import StrEnum


class Act(StrEnum):
    MODEL_REGISTERED = "model registered"
    MODEL_ANNOTATED = "model annotated"
    MODEL_RENAMED = "model renamed"
    MODEL_DELETED = "model deleted"
    MODEL_SELECTED = "model selected"
    SELECTION_ROLLED_BACK = "selection rolled back"
    RUN_REQUESTED = "run asked for"
    RUN_CANCELLED = "run cancelled"
    RUN_FINISHED = "run finished early"
    PROMOTION_DECIDED = "promotion decided"
    QUARANTINE_REPLAYED = "quarantine replayed"
    QUARANTINE_DISCARDED = "quarantine discarded"
    ALARM_ACKNOWLEDGED = "alarm acknowledged"
    ALARM_UNACKNOWLEDGED = "alarm acknowledgment undone"
    DEVICE_SHELVED = "device shelved"
    DEVICE_UNSHELVED = "device unshelved"
    DEVICE_RETIRED = "device retired"
    DEVICE_RESTORED = "device restored"
    LABEL_ADDED = "label added"
    LABEL_UNDONE = "label undone"
    LABELS_IMPORTED = "labels imported"
    LABELS_UNDONE = "labels undone"
    DATASET_DROPPED = "data set dropped"
    KEY_MADE = "key made"
    KEY_REVOKED = "key revoked"
    DEVICE_PASSWORD_MADE = "device password made"  # noqa: S105 - a name
    DEVICE_PASSWORD_REMOVED = "device password removed"  # noqa: S105
    REGISTRY_ACCEPTED = "registry accepted"
    REGISTRY_COLLECTED = "registry collected"
    REGISTRY_TRUSTED = "registry trusted"
