"""Checks the size of the audit log."""

from __future__ import annotations

from collections.abc import Iterator

from command.doctor.finding import Finding, broken, fine, risky
from operations.audit_file import MIB, open_audit_file, where
from zelador.settings import ApiSettings

FIX = "move audit-*.jsonl to another disk, or raise ZELADOR_API__AUDIT_TOTAL_BYTES"


def finding(settings: ApiSettings) -> Iterator[Finding]:
    """Yields nothing if there is no audit file yet. Writes nothing."""
    if not where(settings.keys_file, settings.audit_file).exists():
        return
    found = open_audit_file(settings)
    total, remark = found.total(), found.remark()
    if remark is None:
        yield fine("audit", f"{total / MIB:,.1f} of at most {settings.audit_total_bytes // MIB:,} MiB used")
    elif total < settings.audit_total_bytes:
        yield risky("audit", remark, "nothing; at the limit, only keys with the admin role can change anything", FIX)
    else:
        yield broken("audit", remark, "no readings; operators cannot change anything until this is fixed", FIX)
