"""What `zelador doctor` says of the audit trail's size."""

from __future__ import annotations

from collections.abc import Iterator

from command.doctor.finding import Finding, broken, fine, risky
from operations.audit_log import MIB, open_audit_file, where
from zelador.settings import ApiSettings

MEND = "move audit-*.jsonl to another disk, or raise ZELADOR_API__AUDIT_TOTAL_BYTES"


def finding(settings: ApiSettings) -> Iterator[Finding]:
    """Nothing where there is no audit file yet. Writes nothing."""
    if not where(settings.keys_file, settings.audit_file).exists():
        return
    trail = open_audit_file(settings)
    total, said = trail.total(), trail.remark()
    if said is None:
        yield fine("audit", f"{total / MIB:,.1f} MiB of at most {settings.audit_total_bytes // MIB:,}")
    elif total < settings.audit_total_bytes:
        yield risky("audit", said, "nothing; at the bound only keys of the role admin may change something", MEND)
    else:
        yield broken("audit", said, "no reading; operators can change nothing until then", MEND)
