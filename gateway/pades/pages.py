"""A page as it is shown and as its coordinates count: turned, cropped, scaled (ISO 32000-1, 7.7.3.3 and 8.3.2.3). Runs
in the child process."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyhanko.pdf_utils.generic import DictionaryObject
from pyhanko.pdf_utils.rw_common import PdfHandler

from gateway.errors import BoxOffPageError, PageOutOfRangeError
from gateway.pades.options import Place
from gateway.pades.reading import entry

Box = tuple[float, float, float, float]
_DEEPEST_TREE = 64
_SMALLEST_SIDE = 1.0


@dataclass(frozen=True)
class Page:
    """``shown`` is the part that is shown, in the page's own coordinates, normalised; ``turned`` is 0, 90, 180 or 270
    degrees clockwise; ``unit`` is the length of a coordinate's unit in 1/72 inch."""

    shown: Box
    turned: int
    unit: float

    @property
    def size(self) -> tuple[float, float]:
        """Width and height as shown, in 1/72 inch."""
        left, bottom, right, top = self.shown
        width, height = (right - left) * self.unit, (top - bottom) * self.unit
        return (height, width) if self.turned in {90, 270} else (width, height)

    def to_own(self, box: Box) -> Box:
        """A box as it is shown, in the page's own coordinates. Raises `BoxOffPageError`."""
        left, bottom, right, top = box
        width, height = self.size
        inside = left >= 0 and bottom >= 0 and right <= width and top <= height
        if not inside or right - left < _SMALLEST_SIDE or top - bottom < _SMALLEST_SIDE:
            raise BoxOffPageError
        turned = {
            0: (left, bottom, right, top),
            90: (height - top, left, height - bottom, right),
            180: (width - right, height - top, width - left, height - bottom),
            270: (bottom, width - right, top, width - left),
        }[self.turned]
        x, y = self.shown[:2]
        a, b, c, d = (value / self.unit for value in turned)
        return (x + a, y + b, x + c, y + d)

    def to_shown(self, box: Box) -> Box:
        """The other way."""
        x, y = self.shown[:2]
        width, height = self.size
        a, b, c, d = ((value - origin) * self.unit for value, origin in zip(box, (x, y, x, y), strict=True))
        return {
            0: (a, b, c, d),
            90: (b, height - c, d, height - a),
            180: (width - c, height - d, width - a, height - b),
            270: (width - d, a, width - b, c),
        }[self.turned]


def walk_pages(handler: PdfHandler) -> Iterator[DictionaryObject]:
    """The pages in their order. The tree was inspected: it holds no loop."""
    waiting = [handler.root["/Pages"]]
    while waiting:
        node = waiting.pop()
        kids = entry(node, "/Kids")
        if kids is None:
            yield node
        else:
            waiting += [kids[index] for index in reversed(range(len(kids)))]


def measure_pages(handler: PdfHandler) -> list[tuple[float, float, int]]:
    """Width and height of the pages as shown, in 1/72 inch, and how many of that size follow one another. A page that
    cannot be measured has none: nothing is placed on it."""
    found: list[tuple[float, float, int]] = []
    for page in walk_pages(handler):
        width, height = _measure(page)
        if found and found[-1][:2] == (width, height):
            found[-1] = (width, height, found[-1][2] + 1)
        else:
            found.append((width, height, 1))
    return found


def _measure(page: DictionaryObject) -> tuple[float, float]:
    try:
        width, height = (round(side, 2) for side in describe(page).size)
    except RecursionError:
        raise
    except Exception:  # noqa: BLE001  (a malformed box raises anything)
        return (0.0, 0.0)
    return (width, height) if math.isfinite(width) and math.isfinite(height) else (0.0, 0.0)


def read_page(handler: PdfHandler, number: int, count: int) -> Page:
    """Page ``number`` of ``count``, from 1. Raises `PageOutOfRangeError`."""
    if not 1 <= number <= count:
        raise PageOutOfRangeError
    reference, _ = handler.find_page_for_modification(number - 1)  # type: ignore[no-untyped-call]  # pyHanko's is not annotated
    return describe(reference.get_object())


def describe(page: DictionaryObject) -> Page:
    media = _box(page, "/MediaBox") or (0.0, 0.0, 612.0, 792.0)
    crop = _box(page, "/CropBox") or media
    shown = (max(media[0], crop[0]), max(media[1], crop[1]), min(media[2], crop[2]), min(media[3], crop[3]))
    if shown[0] >= shown[2] or shown[1] >= shown[3]:
        shown = media
    turned = int(_inherited(page, "/Rotate") or 0) % 360
    unit = float(entry(page, "/UserUnit", 1))
    return Page(shown, turned if turned % 90 == 0 else 0, unit if unit > 0 else 1.0)


def upright(turned: int, width: float, height: float) -> tuple[float, ...]:
    """The matrix that turns what is drawn, ``width`` by ``height``, against the page, so that it stands upright on the
    page as shown."""
    return {
        0: (1, 0, 0, 1, 0, 0),
        90: (0, 1, -1, 0, height, 0),
        180: (-1, 0, 0, -1, width, height),
        270: (0, -1, 1, 0, 0, width),
    }[turned]


def place_of(handler: PdfHandler, place: Place, count: int) -> Box:
    """The place in its page's own coordinates. Raises `PageOutOfRangeError`, `BoxOffPageError`."""
    return read_page(handler, place.page, count).to_own(place.box)


def _box(page: DictionaryObject, name: str) -> Box | None:
    value = _inherited(page, name)
    if value is None or len(value) != 4:
        return None
    numbers = [float(each) for each in value]
    xs, ys = sorted(numbers[::2]), sorted(numbers[1::2])
    return (xs[0], ys[0], xs[1], ys[1])


def _inherited(page: DictionaryObject, name: str) -> Any:
    node = page
    for _ in range(_DEEPEST_TREE):
        if name in node:
            return node[name]
        if "/Parent" not in node:
            return None
        node = node["/Parent"]
    return None
