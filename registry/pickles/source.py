"""The bytes of a pickle with its frames, read as Python's own unpickler reads them."""

from __future__ import annotations

import io

from registry.pickles.values import Untraceable

MAX_LINE = 1 << 28


class Source:
    """Frames end where they say: what reads past the end of one is refused, as Python's unpickler does."""

    def __init__(self, file: io.BytesIO) -> None:
        self.file = file
        self._frame: io.BytesIO | None = None

    def read(self, count: int) -> bytes:
        if self._frame is not None:
            data = self._frame.read(count)
            if data or not count:
                return self._whole(data, count)
            self._frame = None
        return self._whole(self.file.read(count), count)

    def readline(self) -> bytes:
        """A line without its end."""
        if self._frame is not None:
            data = self._frame.readline(MAX_LINE)
            if data:
                return self._line(data)
            self._frame = None
        return self._line(self.file.readline(MAX_LINE))

    def begin_frame(self, size: int) -> None:
        if not self.at_frame_end:
            raise Untraceable("a frame in a frame")
        if size > len(self.file.getbuffer()) - self.file.tell():
            raise Untraceable("a frame beyond the end of the file")
        self._frame = io.BytesIO(self._whole(self.file.read(size), size))

    @property
    def at_frame_end(self) -> bool:
        return self._frame is None or self._frame.tell() == len(self._frame.getbuffer())

    def _whole(self, data: bytes, count: int) -> bytes:
        if len(data) != count:
            raise Untraceable("an end too early")
        return data

    def _line(self, data: bytes) -> bytes:
        if not data.endswith(b"\n"):
            raise Untraceable("an end too early, or a very long line")
        return data[:-1]
