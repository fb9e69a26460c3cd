"""The update that signing writes. Runs in the child process."""

from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter


class SigningWriter(IncrementalPdfFileWriter):
    """Writes what it is told and leaves the document's metadata as they are: a signature changes nothing else, a PDF/A
    file's XMP stays what was validated (ISO 19005-2, 6.6), and XMP in UTF-16 is read by nobody here."""

    def _update_meta(self) -> None:
        """pyHanko would note the time of the change."""
