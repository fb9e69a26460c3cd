"""The update that signing writes. Runs in the child process."""

import os
from typing import IO, Any

from pyhanko.pdf_utils.extensions import DeveloperExtension
from pyhanko.pdf_utils.generic import (
    ArrayObject,
    BooleanObject,
    DictionaryObject,
    FloatObject,
    IndirectObject,
    NumberObject,
    StreamObject,
    TextStringObject,
    pdf_name,
)
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import init_xobject_dictionary
from pyhanko.sign.fields import enumerate_sig_fields
from pyhanko.sign.signers.pdf_byterange import PdfByteRangeDigest

from gateway.pades.pdfa import read_claim
from gateway.pades.reading import entry

_PDF_2 = (2, 0)
# Under this name a visible signature keeps what invisible ones after it show.
NOTHING = "/Nothing"


class SigningWriter(IncrementalPdfFileWriter):
    """Writes what it is told and leaves the document's metadata as they are: a signature changes nothing else, a PDF/A
    file's XMP stays what was validated (ISO 19005-2, 6.6), and XMP in UTF-16 is read by nobody here."""

    def __init__(self, stream: IO[bytes], *, prev: PdfFileReader) -> None:
        self._claim = read_claim(prev)
        super().__init__(stream, prev=prev)
        form: Any = entry(self.root, "/AcroForm", {})
        self._needs_appearances = bool(entry(form, "/Fields", ())) and entry(form, "/NeedAppearances", False)

    def ensure_output_version(self, version: tuple[int, int]) -> None:
        """pyHanko would have every file be of PDF 2.0 that is signed with an algorithm which that version names."""
        if not (self._claim.is_pdf_1 and version >= _PDF_2):
            super().ensure_output_version(version)  # type: ignore[no-untyped-call]  # pyHanko's is not annotated

    def register_extension(self, ext: DeveloperExtension) -> None:
        """The same of what extends PDF 2.0."""
        if not (self._claim.is_pdf_1 and ext.base_version == "/2.0"):
            super().register_extension(ext)

    def write_around(self, signature: PdfByteRangeDigest) -> tuple[int, int]:
        """The document grows by the update, which says what ``signature``, one of its objects, covers; answers with
        where its value will stand. The library does the same in `PdfByteRangeDigest.fill`, and reads the whole file
        for its digest then, which is for others to do."""
        self.digest_aware_write = True
        self.write_in_place()  # type: ignore[no-untyped-call]  # pyHanko's are not annotated
        start, end = signature.contents.offsets
        signature.byte_range.fill_offsets(self.prev.stream, start, end, self.prev.stream.tell())  # type: ignore[no-untyped-call]
        return start, end

    def try_to_write(self, stream: Any) -> None:
        """Writes only what comes behind the document; the offsets in it are wrong."""
        self._prep_dom_for_writing()
        self._write_updated_section(stream)

    def _write_header(self, stream: IO[bytes]) -> None:
        super()._write_header(stream)  # type: ignore[no-untyped-call]  # pyHanko's is not annotated
        self._end_last_line(stream)

    def _write_updated_section(self, stream: IO[bytes]) -> None:
        self._end_last_line(stream)
        super()._write_updated_section(stream)  # type: ignore[no-untyped-call]  # pyHanko's is not annotated

    def _end_last_line(self, stream: IO[bytes]) -> None:
        """A file may end with its end marker; an object begins a line (ISO 19005-1, 6.1.8; ISO 19005-2, 6.1.9)."""
        self.prev.stream.seek(-1, os.SEEK_END)
        if self.prev.stream.read(1) not in b"\r\n":
            stream.write(b"\n")

    def _update_meta(self) -> None:
        """pyHanko would note the time of the change."""

    def _prep_dom_for_writing(self) -> None:
        """pyHanko strikes NeedAppearances (ISO 32000-1, 12.7.2), and fields that have no appearance of their own would
        be empty from then on."""
        if self._needs_appearances:
            yes = BooleanObject(value=True)  # type: ignore[no-untyped-call]  # pyHanko's is not annotated
            self.root["/AcroForm"][pdf_name("/NeedAppearances")] = yes
        if self._claim.asks_for_appearances:
            self._add_appearances()
        super()._prep_dom_for_writing()  # type: ignore[no-untyped-call]  # pyHanko's is not annotated

    def _add_appearances(self) -> None:
        """Of the signature fields that are nowhere to be seen. One that the file holds is taken: with a new one, a
        document time-stamp would be more than validators expect of it (EN 319 142-1, 5.5)."""
        for each in list(self.objects.values()):
            if isinstance(each, DictionaryObject) and each.get("/FT") == "/Sig" and "/AP" not in each:
                shown = self._find_nothing() or self.add_object(draw_nothing())
                each[pdf_name("/AP")] = to_pdf({"/N": shown})

    def _find_nothing(self) -> IndirectObject | None:
        """What an earlier signature shows, if that is nothing, or holds to be shown by later ones."""
        for _name, _value, reference in enumerate_sig_fields(self.prev):
            appearances = entry(reference.get_object(), "/AP", {})
            shown = entry(appearances, "/N", {})
            kept = entry(entry(shown, "/Resources", {}), "/XObject", {})
            found = kept.raw_get(NOTHING) if NOTHING in kept else None
            if not found and "/BBox" in shown and not any(shown["/BBox"]):
                found = appearances.raw_get("/N")
            if isinstance(found, IndirectObject):
                return found
        return None


def draw_nothing() -> StreamObject:
    """An appearance of no size."""
    return init_xobject_dictionary(b"", 0, 0)


def to_pdf(value: Any) -> Any:
    """Python's values as PDF's; text that begins with a slash is a name, and what is PDF's already stays."""
    if type(value) is dict:
        named = {pdf_name(name): to_pdf(each) for name, each in value.items()}
        return DictionaryObject(named)  # type: ignore[no-untyped-call]  # pyHanko's are not annotated
    if type(value) in {list, tuple}:
        return ArrayObject(to_pdf(each) for each in value)
    if type(value) is int:
        return NumberObject(value)  # type: ignore[no-untyped-call]
    if type(value) is float:
        return FloatObject(round(value, 3))  # type: ignore[no-untyped-call]
    if type(value) is str:
        return pdf_name(value) if value.startswith("/") else TextStringObject(value)
    return value
