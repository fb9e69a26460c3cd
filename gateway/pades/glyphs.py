"""Fonts as they are embedded: which are there of their glyphs, and what each means. Runs in the child process."""

from collections.abc import Iterator
from itertools import pairwise
from typing import IO

import uharfbuzz
from pyhanko.pdf_utils.font.api import ShapeResult
from pyhanko.pdf_utils.font.opentype import GlyphAccumulator
from pyhanko.pdf_utils.generic import StreamObject, pdf_name
from pyhanko.pdf_utils.writer import BasePdfFileWriter

# What stands for nothing to be read: a further glyph of characters that the ones before it stand for.
_NOTHING = "\u200b"


class EmbeddedFont(GlyphAccumulator):
    """pyHanko's, which tells wrongly what a glyph means (ISO 32000-1, 9.10.3) where a line runs from right to left, and
    not at all where several glyphs stand for several characters. ``lists_glyphs``: with a CIDSet (9.8.3)."""

    def __init__(
        self, writer: BasePdfFileWriter, file: IO[bytes], *, size: int, direction: str, lists_glyphs: bool
    ) -> None:
        super().__init__(writer, file, font_size=size, writing_direction=direction)
        self._lists_glyphs = lists_glyphs
        self._meanings: dict[int, str] = {}

    def shape(self, txt: str, with_actual_text: bool = True) -> ShapeResult:
        shaped = super().shape(txt, with_actual_text)
        for text, glyphs in self._clusters(txt) if txt else ():
            self._explain(text, glyphs)
        return shaped

    def _clusters(self, text: str) -> Iterator[tuple[str, list[int]]]:
        """Characters, in the order in which they are written, and the glyphs that stand for them together."""
        buffer = uharfbuzz.Buffer()
        buffer.add_str(text)
        buffer.direction = self.writing_direction
        buffer.guess_segment_properties()
        uharfbuzz.shape(self.hb_font, buffer, self.features)
        members: dict[int, list[int]] = {}
        for info in buffer.glyph_infos:
            members.setdefault(info.cluster, []).append(info.codepoint)
        for start, end in pairwise([*sorted(members), len(text)]):
            yield text[start:end], members[start]

    def _explain(self, text: str, glyphs: list[int]) -> None:
        """A glyph that is a character's own means it; the first of the others what then is left of the text."""
        left, others = list(text), []
        for glyph in glyphs:
            cid, _ = self._get_cid_and_width(glyph)
            own = [chr(code) for code in self._reverse_cmap.get(self.tt.getGlyphName(glyph), ()) if chr(code) in left]
            if own and len(glyphs) > 1:
                left.remove(own[0])
                self._meanings.setdefault(cid, own[0])
            else:
                others.append(cid)
        for index, cid in enumerate(others):
            self._meanings.setdefault(cid, "".join(left) if left and not index else _NOTHING)

    def _format_tounicode_cmap(self) -> StreamObject:
        self._cid_to_unicode = self._meanings
        mapped: StreamObject = super()._format_tounicode_cmap()  # type: ignore[no-untyped-call]  # pyHanko's
        return mapped

    def prepare_write(self) -> None:
        if self._write_prepared:
            return
        super().prepare_write()  # type: ignore[no-untyped-call]  # pyHanko's is not annotated
        if self._lists_glyphs:
            descriptor = self.cidfont_obj["/FontDescriptor"]
            descriptor[pdf_name("/CIDSet")] = self.writer.add_object(self._cid_set())

    def _cid_set(self) -> StreamObject:
        """A bit for each glyph of the subset, the highest of the first byte for the first."""
        if self.use_raw_gids:
            cids = list(range(len(self.tt.getGlyphOrder())))
        else:
            cids = [0 if name == ".notdef" else int(name[3:]) for name in self.tt["CFF "].cff[0].charset]
        bits = bytearray(max(cids) // 8 + 1)
        for cid in cids:
            bits[cid // 8] |= 0x80 >> cid % 8
        stream = StreamObject(stream_data=bytes(bits))
        stream.compress()  # type: ignore[no-untyped-call]  # pyHanko's is not annotated
        return stream
