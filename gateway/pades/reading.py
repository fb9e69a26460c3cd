"""Opening a stranger's PDF: strictly, and whole. Runs in the child process.

Strict reading refuses what would make the shown and the signed document differ: duplicate dictionary keys in any
object that signing rewrites, objects outside the declared range, bytes that no revision accounts for.
"""

import logging
import os
import re
from typing import IO, Any

from pyhanko.pdf_utils.generic import DictionaryObject, TrailerReference
from pyhanko.pdf_utils.misc import PdfStrictReadError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.xref import XRefSectionType

from gateway.errors import DamagedPdfError, EmptyDocumentError, NotAPdfError
from gateway.pades.encryption import Encryption, unlock

_HEADER_WINDOW = 1024
_TAIL_LIMIT = 64 * 1024
_LONGEST_DOUBLED = 16 * 1024 * 1024
_HARMLESS = "Illegal generation 65536 for object ID 0."
# After the file's physically last cross-reference section only these may stand (ISO 32000-1, 7.5.5): white space,
# comments such as a producer's name, the offset and the end marker.
_TAIL = re.compile(
    rb"(?:[\x00\t\n\x0c\r ]|endobj|%(?!%EOF)[^\r\n]*[\r\n])*"
    rb"startxref[\x00\t\n\x0c\r ]+\d+[\x00\t\n\x0c\r ]+%%EOF[\x00\t\n\x0c\r ]*"
)


def entry(container: DictionaryObject, name: str, default: Any = None) -> Any:
    """The value of a dictionary's entry, followed to where it stands; ``default`` if there is none."""
    return container[name] if name in container else default  # noqa: SIM401  (``get`` does not follow)


def read_document(stream: IO[bytes], password: str = "") -> PdfFileReader:
    """See `open_document`."""
    return open_document(stream, password)[0]


def open_document(stream: IO[bytes], password: str = "") -> tuple[PdfFileReader, Encryption]:
    """The document, readable, decrypted where it is encrypted, with nothing behind its last revision.

    Raises the role's document errors, and whatever pyHanko raises on broken input: the caller's net catches that.
    """
    head = stream.read(_HEADER_WINDOW)
    if not head:
        raise EmptyDocumentError
    if b"%PDF-" not in head:
        raise NotAPdfError
    if not head.startswith(b"%PDF-"):
        # Bytes before the header shift every offset, and readers disagree on what they mean.
        raise DamagedPdfError
    reader = strict_reader(stream)
    encryption = unlock(reader, password)
    _refuse_bytes_after_last_revision(reader, stream)
    _refuse_numbers_beyond_size(reader)
    return reader, encryption


class _WarningsAreRefusals(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise DamagedPdfError


def strict_reader(stream: IO[bytes]) -> PdfFileReader:
    """A reader that tolerates nothing, for hybrid-reference files too (ISO 32000-1, 7.5.8.4; common word processors
    write them), and for those whose first entry, which is of no object, has a number that is too large by one.

    pyHanko signs those only through a lenient reader, so that one comes second, and whatever it would merely warn
    of refuses the file.
    """
    try:
        reader = PdfFileReader(stream, strict=True)
        if not reader.xrefs.hybrid_xrefs_present:
            return reader
    except PdfStrictReadError as error:
        if str(error) != _HARMLESS:
            raise
    logging.getLogger("pyhanko").addHandler(_WarningsAreRefusals(logging.WARNING))
    return PdfFileReader(stream, strict=False)


def _refuse_bytes_after_last_revision(reader: PdfFileReader, stream: IO[bytes]) -> None:
    """An update without its end marker is shown by viewers before signing and by none after it."""
    sections = [reader.xrefs.get_xref_container_info(number) for number in range(reader.total_revisions)]
    last = max(sections, key=lambda section: section.start_location)
    stream.seek(last.end_location)
    if last.xref_section_type is not XRefSectionType.STREAM:
        trailer = TrailerReference(reader)  # type: ignore[no-untyped-call]  # pyHanko's is not annotated
        DictionaryObject.read_from_stream(stream, trailer)
    begin = stream.tell()
    tail = stream.read(_TAIL_LIMIT)
    if len(tail) < _TAIL_LIMIT and _TAIL.fullmatch(tail):
        return
    half = _size_of_half(stream)
    stream.seek(begin)
    if not half or begin > half or not _TAIL.fullmatch(stream.read(half - begin)):
        raise DamagedPdfError


def _size_of_half(stream: IO[bytes]) -> int:
    """Of a file that is the same bytes twice over, as some programs write them: whichever half a reader takes, it shows
    the same. 0 of every other file."""
    size = stream.seek(0, os.SEEK_END)
    if size % 2 or size > _LONGEST_DOUBLED:
        return 0
    stream.seek(0)
    return size // 2 if stream.read(size // 2) == stream.read() else 0


def _refuse_numbers_beyond_size(reader: PdfFileReader) -> None:
    """New objects are numbered from the trailer's ``/Size`` on: one that is too small would overwrite live objects."""
    size = int(reader.trailer["/Size"])
    for revision in range(reader.total_revisions):
        numbers = (reference.idnum for reference in reader.xrefs.explicit_refs_in_revision(revision))
        own = reader.xrefs.get_xref_container_info(revision).stream_ref
        if max(numbers, default=0) >= size or (own is not None and own.idnum >= size):
            raise DamagedPdfError
