"""The subscriber counts each prediction once, and reports repeated ones."""

from __future__ import annotations

from pathlib import Path

from benchmarks.board import RECEIVED, REPEATED, Board
from benchmarks.subscriber import tick_off


def test_each_reading_counts_once_and_the_second_time_as_repeated(tmp_path: Path) -> None:
    board = Board(tmp_path / "board", 4, make=True)
    tick_off(board, 100, [100, 101, 102], 5)
    assert (board[RECEIVED], board[REPEATED]) == (3, 0)
    tick_off(board, 100, [101, 103], 9)
    assert (board[RECEIVED], board[REPEATED]) == (4, 1)
    assert list(board.received_at) == [5, 5, 5, 9]


def test_repeats_within_one_batch_count_too(tmp_path: Path) -> None:
    board = Board(tmp_path / "board", 2, make=True)
    tick_off(board, 0, [1, 1], 5)
    assert (board[RECEIVED], board[REPEATED]) == (1, 1)


def test_a_prediction_for_an_unknown_reading_does_not_count(tmp_path: Path) -> None:
    board = Board(tmp_path / "board", 2, make=True)
    tick_off(board, 100, [99, 102, -1], 5)
    assert (board[RECEIVED], board[REPEATED]) == (0, 3)


def test_both_processes_see_the_same_board(tmp_path: Path) -> None:
    ours = Board(tmp_path / "board", 3, make=True)
    theirs = Board(tmp_path / "board", 3)
    tick_off(theirs, 0, [2], 7)
    theirs.mark_sent(0, 2)
    assert ours[RECEIVED] == 1
    assert list(ours.received_at) == [0, 0, 7]
    assert [bool(at) for at in ours.sent_at] == [True, True, False]
