"""Reads the bytes of a pickle and its frames in the same way as Python's unpickler."""

from __future__ import annotations

import io

from registry.legacy.pickles.values import Untraceable

MAX_LINE = 1 << 28


class Source:
    """A reader. A read past the end of a frame is refused, as Python's unpickler does."""

    def __init__(self, file: io.BytesIO) -> None:
        self.file = file
        here = file.tell()
        self._end = file.seek(0, io.SEEK_END)
        file.seek(here)
        self._frame: io.BytesIO | None = None
        self._frame_end = 0

    def read(self, count: int) -> bytes:
        if self._frame is not None:
            data = self._frame.read(count)
            if data or not count:
                return self._whole(data, count)
            self._frame = None
        return self._whole(self.file.read(count), count)

    def readline(self) -> bytes:
        """A line without its newline."""
        if self._frame is not None:
            data = self._frame.readline(MAX_LINE)
            if data:
                return self._line(data)
            self._frame = None
        return self._line(self.file.readline(MAX_LINE))

    def begin_frame(self, size: int) -> None:
        if not self.at_frame_end:
            raise Untraceable("a frame in a frame")
        if size > self.left:
            raise Untraceable("a frame beyond the end of the file")
        self._frame, self._frame_end = io.BytesIO(self._whole(self.file.read(size), size)), size

    @property
    def at_frame_end(self) -> bool:
        return self._frame is None or self._frame.tell() == self._frame_end

    @property
    def left(self) -> int:
        """The number of unread bytes of the file."""
        return self._end - self.file.tell()

    def _whole(self, data: bytes, count: int) -> bytes:
        if len(data) != count:
            raise Untraceable("an end too early")
        return data

    def _line(self, data: bytes) -> bytes:
        if not data.endswith(b"\n"):
            raise Untraceable("an early end, or a very long line")
        return data[:-1]
