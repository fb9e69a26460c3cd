"""Text in any script, with fonts that are embedded. Runs in the child process.

Each character is set in the first font of `candidates` that has it; a run of one font and one direction is shaped
by HarfBuzz, and runs stand in the order in which they are read (a short form of UAX #9: no explicit embeddings).
"""

import io
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import IO

from fontTools import unicodedata as scripts
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from fontTools.ttLib.scaleUpem import scale_upem
from pyhanko.pdf_utils.writer import BasePdfFileWriter

from gateway.errors import FontMissingError
from gateway.pades.glyphs import EmbeddedFont
from gateway.pades.pdfa import read_claim

# The size that fonts are set in; lines are scaled as a whole.
SIZE = 10
_THOUSAND = 1000
_EVERYTHING = (
    "NotoSansSymbols-Regular",
    "NotoSansSymbols2-Regular",
    "NotoSansMath-Regular",
    "unifont",
    "unifont_upper",
)
_REGIONS = {"Han": "SC", "Hiragana": "JP", "Katakana": "JP", "Hangul": "KR", "Bopomofo": "TC"}
_JOINERS = "\u200c\u200d"
_FOLLOWS = {"BN", "NSM", "ON", "WS", "CS", "ES", "ET", "S", "B"}


@dataclass(frozen=True)
class Run:
    """A part of a line: PDF operators that show it with ``engine`` at `SIZE`, and how wide it then is."""

    engine: EmbeddedFont
    operators: bytes
    width: float


class Lettering:
    """Sets the lines of ``text`` with the fonts that lie in ``folders``, embedding in ``writer`` what was used of
    each."""

    def __init__(self, writer: BasePdfFileWriter, folders: Sequence[str], text: str) -> None:
        self._writer = writer
        self._text = text
        self._folders = tuple(folders)
        self._engines: dict[tuple[str, str], EmbeddedFont] = {}
        self._lists_glyphs = read_claim(writer).lists_glyphs

    def set_line(self, text: str) -> list[Run]:
        """The line's runs from left to right. Raises `FontMissingError` if a character is in no font."""
        text = "".join(char for char in text if unicodedata.category(char) != "Cf" or char in _JOINERS)
        return [self._shape(font, direction, part) for font, direction, part in self._split(text)]

    def _shape(self, font: str, direction: str, text: str) -> Run:
        key = (font, direction)
        if key not in self._engines:
            file = _open_font(font, self._text)
            self._engines[key] = EmbeddedFont(
                self._writer, file, size=SIZE, direction=direction, lists_glyphs=self._lists_glyphs
            )
        engine = self._engines[key]
        shaped = engine.shape(text)
        return Run(engine, shaped.graphics_ops, shaped.x_advance * SIZE)

    def _split(self, text: str) -> Iterator[tuple[str, str, str]]:
        directions = _directions(text)
        fonts: list[str] = []
        for char in text:
            # A mark belongs to what it stands on, a blank to what is before it.
            stays = fonts and (unicodedata.combining(char) or char.isspace()) and char in _characters(fonts[-1])
            fonts.append(fonts[-1] if stays else _find_font(char, self._folders))
        runs = [
            (font, direction, "".join(char for _, _, char in members))
            for (font, direction), members in groupby(
                zip(fonts, directions, text, strict=True), key=lambda each: (each[0], each[1])
            )
        ]
        yield from _in_reading_order(runs, directions[0] if directions else "ltr")


def _open_font(path: str, text: str) -> IO[bytes]:
    """The font as pyHanko takes it: it reckons in thousandths, whatever the font does."""
    font = TTFont(path)
    if font["head"].unitsPerEm == _THOUSAND:
        return Path(path).open("rb")
    reduced = Subsetter(Options(layout_features=["*"]))
    reduced.populate(text=text)
    reduced.subset(font)
    scale_upem(font, _THOUSAND)
    if "CFF " in font:
        # Scaled with the outlines, it would shrink them a second time; the default is what a thousand asks for.
        for part in [font["CFF "].cff[0], *getattr(font["CFF "].cff[0], "FDArray", [])]:
            part.rawDict.pop("FontMatrix", None)
            vars(part).pop("FontMatrix", None)
    file = io.BytesIO()
    font.save(file)
    file.seek(0)
    return file


def _in_reading_order(runs: list[tuple[str, str, str]], base: str) -> Iterator[tuple[str, str, str]]:
    """Runs from left to right: neighbours against the line's own direction change places."""
    grouped = [list(members) for _, members in groupby(runs, key=lambda run: run[1])]
    for group in grouped if base == "ltr" else reversed(grouped):
        yield from reversed(group) if group[0][1] == "rtl" else group


def _directions(text: str) -> list[str]:
    """Each character's direction: a strong one's own, a number's from left to right, any other's as its neighbours'."""
    classes = [unicodedata.bidirectional(char) for char in text]
    strong = next((kind for kind in classes if kind in {"L", "R", "AL"}), "L")
    base = "ltr" if strong == "L" else "rtl"
    found: list[str] = []
    for index, kind in enumerate(classes):
        if kind in _FOLLOWS or not kind:
            after = next((later for later in classes[index:] if later not in _FOLLOWS and later), "")
            before = found[-1] if found else base
            found.append(before if kind == "NSM" or (after and before == _own(after)) else base)
        else:
            found.append(_own(kind))
    return found


def _own(kind: str) -> str:
    return "rtl" if kind in {"R", "AL"} else "ltr"


@lru_cache(maxsize=512)
def _find_font(char: str, folders: tuple[str, ...]) -> str:
    for name in _candidates(char):
        for path in _paths(name, folders):
            if char in _characters(path):
                return path
    raise FontMissingError


def _candidates(char: str) -> Iterator[str]:
    name = scripts.script_name(scripts.script(char), default="").replace("_", "")
    name = _REGIONS.get(name, name)
    yield "NotoSans-Regular"
    for family in ("NotoSans", "NotoNaskh", "NotoSerif"):
        yield f"{family}{name}-Regular"
    yield from _EVERYTHING


def _paths(name: str, folders: tuple[str, ...]) -> Iterator[str]:
    for folder in folders:
        for ending in (".ttf", ".otf"):
            path = Path(folder) / f"{name}{ending}"
            if path.is_file():
                yield str(path)


@lru_cache(maxsize=32)
def _characters(path: str) -> frozenset[str]:
    with TTFont(path, lazy=True) as font:
        return frozenset(map(chr, font.getBestCmap() or ()))
