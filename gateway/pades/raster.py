"""Whether signing changed what a page shows: every page is drawn before and after, and compared. Runs in a child
process that does nothing else, with a second library than the one that signs: what it draws with is not memory-safe, so
it may not write what is signed.

The original is the beginning of the signed file, so one file serves both. A visible signature's own area, and nothing
else, may differ. Where there are more pages than time, the first, the last and others evenly between are drawn.
"""

import io
import os
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import IO, Any

import pypdfium2
from PIL import Image, ImageChops, ImageDraw

from gateway.errors import PageChangedError
from gateway.pades.values import Area

_LONGEST_SIDE = 500
_SECONDS = 3.0
# Neighbouring pixels take part in a drawing's soft edge.
_EDGE = 2


class _Beginning(io.RawIOBase):
    """The first bytes of a file, as a file."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._size, self._position = file, size, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        wanted = min(len(buffer), max(0, self._size - self._position))
        self._file.seek(self._position)
        data = self._file.read(wanted)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def compare_pages(file: IO[bytes], original_size: int, areas: Collection[Area], password: str = "") -> int:
    """How many pages were compared. Raises `PageChangedError`, also if the two cannot be drawn alike at all."""
    until = time.monotonic() + _SECONDS
    before = _open(_Beginning(file, original_size), password)
    if before is None:
        # What this library does not open it cannot show: there is nothing to compare with.
        return 0
    after = _open(_Beginning(file, file.seek(0, os.SEEK_END)), password)
    if after is None or len(before) != len(after):
        raise PageChangedError
    compared = 0
    for index in _order(len(before)):
        _compare(before, after, index, [area.box for area in areas if area.page == index + 1])
        compared += 1
        if time.monotonic() > until:
            break
    return compared


def _open(stream: _Beginning, password: str) -> pypdfium2.PdfDocument | None:
    try:
        document = pypdfium2.PdfDocument(io.BufferedReader(stream), password=password or None)
        # Fields are part of what is shown, visible signatures among them.
        document.init_forms()
        return document
    except pypdfium2.PdfiumError:
        return None


def _order(count: int) -> list[int]:
    """The first and the last, then what halves the distances between those before."""
    found = dict.fromkeys([0, count - 1])
    step = count
    while step > 1:
        step = (step + 1) // 2
        found.update(dict.fromkeys(range(0, count, step)))
    return list(found)


def _compare(
    before: pypdfium2.PdfDocument, after: pypdfium2.PdfDocument, index: int, boxes: list[tuple[float, ...]]
) -> None:
    old, new = (_draw(document, index) for document in (before, after))
    if old is None and new is None:
        return
    if old is None or new is None or old.size != new.size:
        raise PageChangedError
    if old.pixels == new.pixels:
        return
    difference = ImageChops.difference(old.to_image(), new.to_image())
    drawing, scale = ImageDraw.Draw(difference), old.scale
    for left, bottom, right, top in boxes:
        x, y = left * scale - _EDGE, difference.height - top * scale - _EDGE
        far = (right * scale + _EDGE, difference.height - bottom * scale + _EDGE)
        drawing.rectangle((x, y, *far), fill=0)
    if difference.getbbox() is not None:
        raise PageChangedError


@dataclass(frozen=True)
class _Drawing:
    """A page in grey: a byte for each pixel, line after line; ``scale`` are pixels for each 1/72 inch."""

    size: tuple[int, int]
    stride: int
    pixels: bytes
    scale: float

    def to_image(self) -> Image.Image:
        return Image.frombuffer("L", self.size, self.pixels, "raw", "L", self.stride, 1)


def _draw(document: pypdfium2.PdfDocument, index: int) -> _Drawing | None:
    try:
        page = document[index]
        scale = min(1.0, _LONGEST_SIDE / max(*page.get_size(), 1.0))
        bitmap = page.render(scale=scale, grayscale=True)
        drawing = _Drawing((bitmap.width, bitmap.height), bitmap.stride, bytes(bitmap.buffer), scale)
        bitmap.close()
        page.close()
    except pypdfium2.PdfiumError:
        return None
    return drawing
