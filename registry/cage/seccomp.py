"""A system call filter for the cage: no network, no other programs, no access to other processes.

A classic BPF program, installed with prctl. It needs no privileges, and new threads inherit it.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from dataclasses import dataclass

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
ALLOW, DENY, MISSING = 0x7FFF0000, 0x00050000 | 1, 0x00050000 | 38  # allow; EPERM; ENOSYS
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF instructions on 32-bit words
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data (little-endian)
X32 = 0x40000000  # the second table of numbers on x86-64
CLONE_THREAD = 0x10000


@dataclass(frozen=True, slots=True)
class Table:
    """System call numbers of one architecture. `own`: calls allowed only on the process itself."""

    architecture: int
    denied: tuple[int, ...]
    own: tuple[int, ...]
    prlimit: int
    clone: int
    clone3: int


# socket, socketpair, execve, execveat, tkill, rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_send_signal, ptrace,
# process_vm_readv, process_vm_writev, io_uring_setup, bpf, unshare, setns, mount, keyctl, add_key, request_key,
# perf_event_open, userfaultfd, shmget, msgget, semget, mq_open, memfd_create, setsid, setpgid; then fork and vfork
TABLES = {
    "x86_64": Table(
        0xC000003E,
        (41, 53, 59, 322, 200, 129, 297, 424, 101, 310, 311, 425, 321, 272, 308, 165, 250, 248, 249, 298, 323, 29, 68,
         64, 240, 319, 112, 109, 57, 58),
        (62, 234),
        302, 56, 435,
    ),
    "aarch64": Table(
        0xC00000B7,
        (198, 199, 221, 281, 130, 138, 240, 424, 117, 270, 271, 425, 280, 97, 268, 40, 219, 217, 218, 241, 282, 194,
         186, 190, 180, 279, 157, 154),
        (129, 131),
        261, 220, 435,
    ),
}  # fmt: skip


def install() -> bool:
    """Installs the filter; False if the kernel or the architecture does not support it."""
    table = TABLES.get(platform.machine())
    if table is None or struct.calcsize("P") != 8:
        return False
    program = _program(table, os.getpid())
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(buffer)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return bool(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(header), 0, 0) == 0)


def _program(table: Table, process: int) -> list[tuple[int, int, int, int]]:
    def returning(verdict: int) -> tuple[int, int, int, int]:
        return (RETURN, 0, 0, verdict)

    program = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, table.architecture),
        returning(DENY),
        (LOAD, 0, 0, NUMBER),
        (AT_LEAST, 0, 1, X32),
        returning(DENY),
        (EQUAL, 0, 1, table.clone3),  # its flags are behind a pointer: libc falls back to clone
        returning(MISSING),
        (EQUAL, 0, 4, table.clone),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (ANY_BIT, 0, 1, CLONE_THREAD),
        returning(ALLOW),
        returning(DENY),
    ]
    for numbers, target in ((table.own, process), ((table.prlimit,), 0)):
        for number in numbers:
            program += [
                (EQUAL, 0, 4, number),
                (LOAD, 0, 0, FIRST_ARGUMENT),
                (EQUAL, 0, 1, target),
                returning(ALLOW),
                returning(DENY),
            ]
    for number in table.denied:
        program += [(EQUAL, 0, 1, number), returning(DENY)]
    return [*program, returning(ALLOW)]
