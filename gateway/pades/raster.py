"""Whether signing changed what a page shows: every page is drawn before and after, and compared. Runs in a child
process that does nothing else, with a second library than the one that signs: what it draws with is not memory-safe, so
it may not write what is signed.

The original is the beginning of the signed file, so one file serves both. A visible signature's own area, and nothing
else, may differ. Several children may share the pages. Where there are more pages than time, the first, the last and
others evenly between are drawn.
"""

import ctypes
import math
import mmap
import os
import time
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image, ImageChops, ImageDraw

from gateway.errors import PageChangedError
from gateway.pades.values import Area

_LONGEST_SIDE = 500
_SECONDS = 3.0
# Neighbouring pixels take part in a drawing's soft edge.
_EDGE = 2


def compare_pages(
    file: IO[bytes],
    original_size: int,
    areas: Collection[Area],
    password: str = "",
    share: tuple[int, int] = (0, 1),
) -> int:
    """How many pages of ``file``, a real one, were compared. ``share`` is which part of them, from 0, of how many
    parts. Raises `PageChangedError`, also if the two cannot be drawn alike at all."""
    until = time.monotonic() + _SECONDS
    size = file.seek(0, os.SEEK_END)
    # Its pages would be copied if somebody wrote to them, which nobody does: only of such a mapping there are views.
    content = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY)
    with ExitStack() as stack:
        before = _open(content, original_size, password, stack)
        if before is None:
            # What this library does not open it cannot show: there is nothing to compare with.
            return 0
        after = _open(content, size, password, stack)
        if after is None or len(before) != len(after):
            raise PageChangedError
        return _compare_all(before, after, areas, share, until)


def _open(content: mmap.mmap, size: int, password: str, stack: ExitStack) -> pypdfium2.PdfDocument | None:
    """The document that the first ``size`` bytes are."""
    try:
        document = pypdfium2.PdfDocument((ctypes.c_ubyte * size).from_buffer(content), password=password or None)
    except pypdfium2.PdfiumError:
        return None
    stack.callback(document.close)
    # Fields are part of what is shown, visible signatures among them.
    document.init_forms()
    return document


def _compare_all(
    before: pypdfium2.PdfDocument,
    after: pypdfium2.PdfDocument,
    areas: Collection[Area],
    share: tuple[int, int],
    until: float,
) -> int:
    (which, of), compared = share, 0
    for index in _order(len(before))[which::of]:
        _compare(before, after, index, [area.box for area in areas if area.page == index + 1])
        compared += 1
        if time.monotonic() > until:
            break
    return compared


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
        drawing.rectangle((x, y, *far), fill=(0, 0, 0))
    if difference.getbbox() is not None:
        raise PageChangedError


@dataclass(frozen=True)
class _Drawing:
    """A page in colour: a byte each for blue, green and red of each pixel, line after line; ``scale`` are pixels for
    each 1/72 inch."""

    size: tuple[int, int]
    pixels: bytearray
    scale: float

    def to_image(self) -> Image.Image:
        return Image.frombuffer("RGB", self.size, self.pixels, "raw", "BGR", 0, 1)


def _draw(document: pypdfium2.PdfDocument, index: int) -> _Drawing | None:
    try:
        page = document[index]
    except pypdfium2.PdfiumError:
        return None
    scale = min(1.0, _LONGEST_SIDE / max(*page.get_size(), 1.0))
    width, height = (max(1, math.ceil(side * scale)) for side in page.get_size())
    # Not `page.render`: it fills colour pixel by pixel, and ctypes compares its buffer so. A copy of it costs, too.
    pixels = bytearray(b"\xff") * (width * height * 3)
    buffer = (ctypes.c_ubyte * len(pixels)).from_buffer(pixels)
    bitmap = pypdfium2.PdfBitmap.new_native(width, height, pdfium.FPDFBitmap_BGR, buffer=buffer)
    # Pictures are smoothed: else one of their pixels decides for each of ours, and all others could change unseen.
    place = (bitmap, page, 0, 0, width, height, 0, pdfium.FPDF_ANNOT)
    pdfium.FPDF_RenderPageBitmap(*place)
    if document.formenv:
        pdfium.FPDF_FFLDraw(document.formenv, *place)
    bitmap.close()
    page.close()
    return _Drawing((width, height), pixels, scale)
