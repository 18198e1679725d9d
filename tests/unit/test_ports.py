"""Ports that `zelador up` chooses: free, different, and none that the system gives to outgoing connections."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from command.up import ports
from command.up.ports import FREE, HOST, choose


def test_free_ports_are_different_and_not_those_of_outgoing_connections(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A port of an outgoing connection may be in use when a home starts again, which remembers its ports."""
    range_file = tmp_path / "range"
    range_file.write_text("32768\t60999\n")
    monkeypatch.setattr(ports, "OUTGOING", range_file)
    first, second = choose(["a", "b"], {}, {}), choose(["a", "b"], {}, {})
    found = {*first.values(), *second.values()}
    assert len(found) == 4  # a port is not chosen again soon: its program may not have bound it yet
    assert all(port in FREE for port in found)


def test_a_port_in_use_or_chosen_before_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ports, "OUTGOING", tmp_path / "none")
    monkeypatch.setattr(ports, "_turn", iter([0, 1, 2]))
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        at = taken.getsockname()[1]
        monkeypatch.setattr(ports, "FREE", range(at, at + 3))
        found = choose(["a"], {}, {}, taken=[at + 1])["a"]
    assert found not in (at, at + 1)


def test_where_outgoing_connections_use_all_ports_the_system_chooses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    range_file = tmp_path / "range"
    range_file.write_text("1024 65535")
    monkeypatch.setattr(ports, "OUTGOING", range_file)
    monkeypatch.setattr(ports, "_turn", iter(()))  # none of FREE is tried
    assert choose(["a"], {}, {})["a"] > 0
