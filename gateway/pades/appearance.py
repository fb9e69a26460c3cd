"""What a visible signature shows: a picture, text, a QR code, side by side and upright as the page is shown. Runs in
the child process."""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import segno
from PIL import Image
from pyhanko.pdf_utils import generic, layout
from pyhanko.pdf_utils.content import ResourceType
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.images import pil_image
from pyhanko.pdf_utils.writer import BasePdfFileWriter
from pyhanko.stamp import BaseStamp, BaseStampStyle

from gateway.errors import FontMissingError, ImageUnreadableError
from gateway.pades.lettering import SIZE, Lettering, Run
from gateway.pades.options import Appearance
from gateway.pades.pages import upright
from gateway.pades.pdfa import read_claim
from gateway.pades.writing import NOTHING, draw_nothing, to_pdf

_MOST_PIXELS = 16_000_000
_LARGEST_SIDE = 1500
_LARGEST_TEXT = 14.0
_LEADING = 1.25
_GAP = 4.0
_FORMATS = ("PNG", "JPEG")


@dataclass(frozen=True)
class AppearanceStyle(BaseStampStyle):
    """pyHanko's way to be told: the stamp is `SignatureAppearance`, whatever the box. ``turned`` is the page's."""

    shows: Appearance = field(default_factory=Appearance)
    turned: int = 0
    unit: float = 1.0
    font_folders: Sequence[str] = ()
    largest_text: float = _LARGEST_TEXT
    lettering: Lettering | None = None  # one for several appearances

    def create_stamp(
        self, writer: BasePdfFileWriter, box: layout.BoxConstraints, text_params: dict[str, Any]
    ) -> "SignatureAppearance":
        sides = (float(box.width) * self.unit, float(box.height) * self.unit)
        width, height = sides if self.turned % 180 == 0 else sides[::-1]
        stamp = SignatureAppearance(writer, self, width, height)
        if read_claim(writer).asks_for_appearances:
            stamp.set_resource(ResourceType.XOBJECT, pdf_name(NOTHING), writer.add_object(draw_nothing()))
        return stamp


class SignatureAppearance(BaseStamp):
    """A form XObject of ``width`` by ``height``, as it is shown, in 1/72 inch."""

    def __init__(self, writer: BasePdfFileWriter, style: AppearanceStyle, width: float, height: float) -> None:
        super().__init__(writer, style, layout.BoxConstraints(width=width, height=height))
        self._to, self._style, self._width, self._height = writer, style, width, height
        self._claim = read_claim(writer)
        for name, space in self._claim.colour_spaces().items():
            self.set_resource(ResourceType.COLOR_SPACE, pdf_name(name), to_pdf(space))

    def as_form_xobject(self) -> generic.StreamObject:
        form: generic.StreamObject = super().as_form_xobject()
        if self._style.turned:
            matrix = upright(self._style.turned, self._width, self._height)
            numbers = [generic.FloatObject(each) for each in matrix]  # type: ignore[no-untyped-call]  # pyHanko's
            form[pdf_name("/Matrix")] = generic.ArrayObject(numbers)
        return form

    def render(self) -> bytes:
        shows = self._style.shows
        columns = [
            *([self._picture] if shows.image else []),
            *([self._lines] if shows.text else []),
            *([self._code] if shows.qr else []),
        ]
        codes = int(bool(shows.qr))
        side = min(self._height, self._width / max(len(columns), 1)) * codes
        rest = len(columns) - codes
        width = (self._width - side - _GAP * (len(columns) - 1)) / max(rest, 1)
        drawn, left = [], 0.0
        for column in columns:
            own = side if column == self._code else width
            drawn.append(column(left, max(own, 1.0)))
            left += own + _GAP
        return b"\n".join(drawn)

    def _picture(self, left: float, width: float) -> bytes:
        image = read_image(self._style.shows.image, on_white=self._claim.is_opaque)
        self.set_resource(ResourceType.XOBJECT, pdf_name("/Picture"), pil_image(image, self._to))
        scale = min(width / image.width, self._height / image.height)
        w, h = image.width * scale, image.height * scale
        x, y = left + (width - w) / 2, (self._height - h) / 2
        return b"q %.3f 0 0 %.3f %.3f %.3f cm /Picture Do Q" % (w, h, x, y)

    def _lines(self, left: float, width: float) -> bytes:
        text = self._style.shows.text
        lettering = self._style.lettering or Lettering(self._to, self._style.font_folders, text)
        lines = [lettering.set_line(line) for line in text.splitlines() if line.strip()]
        widest = max((sum(run.width for run in line) for line in lines), default=0.0)
        if not widest:
            raise FontMissingError
        size = min(self._style.largest_text, self._height / (_LEADING * len(lines)), SIZE * width / widest)
        top = (self._height + size * _LEADING * len(lines)) / 2
        drawn = [
            self._line(line, left, top - size * (_LEADING * index + 1), size / SIZE) for index, line in enumerate(lines)
        ]
        return b"\n".join(drawn)

    def _line(self, runs: list[Run], x: float, y: float, scale: float) -> bytes:
        parts = []
        for run in runs:
            font = run.engine.as_resource()
            name = pdf_name(f"/F{font.idnum}")
            self.set_resource(ResourceType.FONT, name, font)
            place = b"%.5f 0 0 %.5f %.3f %.3f cm" % (scale, scale, x, y)
            shown = b"BT %s %d Tf %s ET" % (name.encode("ascii"), SIZE, run.operators)
            parts.append(b"q %s %s Q" % (place, shown))
            x += run.width * scale
        return b"\n".join(parts)

    def _code(self, left: float, width: float) -> bytes:
        matrix = list(segno.make(self._style.shows.qr, error="m", micro=False).matrix)
        side = min(width, self._height)
        module = side / (len(matrix) + 8)  # with the quiet zone of four modules
        x, y = left + 4 * module, (self._height + side) / 2 - 5 * module
        dark = [
            b"%.4f %.4f %.4f %.4f re" % (x + column * module, y - row * module, module, module)
            for row, cells in enumerate(matrix)
            for column, cell in enumerate(cells)
            if cell
        ]
        return b"q 0 g %s f Q" % b" ".join(dark)


def read_image(data: bytes, *, on_white: bool = False) -> Image.Image:
    """A PNG or JPEG in a form that PDF takes; ``on_white``: nothing of it is transparent. Raises
    `ImageUnreadableError`."""
    try:
        with warnings.catch_warnings():
            # Far above the limit the library refuses by itself, before anything is unpacked.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = _open_image(data)
            image.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE))
            transparent = image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info
            if transparent and on_white:
                white = Image.new("RGBA", image.size, "white")
                return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
            return image.convert("RGBA" if transparent else "L" if image.mode in {"1", "L"} else "RGB")
    except Exception:  # noqa: BLE001  (on hostile input the library raises nearly anything)
        raise ImageUnreadableError from None


def _open_image(data: bytes) -> Image.Image:
    """Nothing is unpacked yet. The library's own limit is one for the whole process, so it is left as it is."""
    image: Image.Image = Image.open(io.BytesIO(data), formats=_FORMATS)
    if image.width * image.height > _MOST_PIXELS:
        raise ImageUnreadableError
    return image
