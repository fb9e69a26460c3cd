"""The update that signing writes. Runs in the child process."""

from typing import IO, Any

from pyhanko.pdf_utils.generic import (
    ArrayObject,
    BooleanObject,
    DictionaryObject,
    FloatObject,
    NumberObject,
    TextStringObject,
    pdf_name,
)
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader

from gateway.pades.reading import entry


class SigningWriter(IncrementalPdfFileWriter):
    """Writes what it is told and leaves the document's metadata as they are: a signature changes nothing else, a PDF/A
    file's XMP stays what was validated (ISO 19005-2, 6.6), and XMP in UTF-16 is read by nobody here."""

    def __init__(self, stream: IO[bytes], *, prev: PdfFileReader) -> None:
        super().__init__(stream, prev=prev)
        form: Any = entry(self.root, "/AcroForm", {})
        self._needs_appearances = bool(entry(form, "/Fields", ())) and entry(form, "/NeedAppearances", False)

    def _update_meta(self) -> None:
        """pyHanko would note the time of the change."""

    def _prep_dom_for_writing(self) -> None:
        """pyHanko strikes NeedAppearances (ISO 32000-1, 12.7.2), and fields that have no appearance of their own would
        be empty from then on."""
        if self._needs_appearances:
            yes = BooleanObject(value=True)  # type: ignore[no-untyped-call]  # pyHanko's is not annotated
            self.root["/AcroForm"][pdf_name("/NeedAppearances")] = yes
        super()._prep_dom_for_writing()  # type: ignore[no-untyped-call]  # pyHanko's is not annotated


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
