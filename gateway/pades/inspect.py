"""Can this PDF be signed as it is? Runs in the child process."""

import io
import os
import re
from typing import IO, Any

from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, IndirectObject, PdfObject, Reference
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import MDPPerm, SigFieldSpec, append_signature_field, enumerate_sig_fields
from pyhanko.sign.validation import read_certification_data
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

from gateway.errors import (
    CertifiedNoChangesError,
    DamagedPdfError,
    EmptyDocumentError,
    HostilePdfError,
    SigningNotPermittedError,
    TooManyPagesError,
    XfaFormError,
)
from gateway.pades.encryption import Encryption
from gateway.pades.fields import refuse_if_all_locked
from gateway.pades.pages import measure_pages
from gateway.pades.reading import entry, open_document
from gateway.pades.values import InspectedDocument
from gateway.pades.writing import SigningWriter

_TREE_NODES_PER_PAGE = 4
_TRIAL = "Paraph-trial"
_HEADER = re.compile(rb"[\x00\t\n\x0c\r ]*(\d+)[\x00\t\n\x0c\r ]+(\d+)[\x00\t\n\x0c\r ]+obj(?![A-Za-z0-9])")


def inspect_document(stream: IO[bytes], *, max_pages: int, password: str = "") -> InspectedDocument:
    """The document's facts; raises a document error if it cannot be signed."""
    reader, encryption = open_document(stream, password)
    pages = _count_pages(reader, max_pages)
    signatures = _read_signatures(reader)
    _refuse_xfa(reader)
    refuse_if_all_locked(reader, _TRIAL)
    _refuse_if_not_permitted(reader, encryption)
    _try_to_update(stream, reader)
    return InspectedDocument(
        pages=pages,
        size=stream.seek(0, os.SEEK_END),
        signatures=signatures,
        encryption=encryption.cipher,
        password_required=encryption.password_required,
        page_sizes=measure_pages(reader),
    )


def _refuse_xfa(reader: PdfFileReader) -> None:
    """One of two forms would be signed, the other one shown."""
    if "/XFA" in entry(reader.root, "/AcroForm", {}):
        raise XfaFormError


def _refuse_if_not_permitted(reader: PdfFileReader, encryption: Encryption) -> None:
    """Where no field may be added, one that is there has to do."""
    if encryption.may_add_field:
        return
    if not encryption.may_fill_field or next(enumerate_sig_fields(reader, filled_status=False), None) is None:
        raise SigningNotPermittedError


def _count_pages(reader: PdfFileReader, max_pages: int) -> int:
    """Walks the page tree instead of believing ``/Count``: a loop is hostile, a missing page is damage."""
    waiting: list[PdfObject] = [reader.root.raw_get("/Pages")]
    seen: set[int] = set()
    pages = 0
    while waiting:
        item = waiting.pop()
        if isinstance(item, IndirectObject):
            if item.idnum in seen:
                raise HostilePdfError
            seen.add(item.idnum)
            if len(seen) > _TREE_NODES_PER_PAGE * max_pages + 16:
                raise TooManyPagesError
            item = item.get_object()  # type: ignore[no-untyped-call]  # pyHanko's is not annotated
        kids = _kids(item)
        if kids is None:
            pages += 1
            if pages > max_pages:
                raise TooManyPagesError
        else:
            waiting += kids
    if not pages:
        raise EmptyDocumentError
    if int(reader.root["/Pages"]["/Count"]) != pages:
        raise DamagedPdfError
    return pages


def _kids(node: PdfObject) -> list[PdfObject] | None:
    """The children of a page tree node, unresolved; None of a page."""
    if not isinstance(node, DictionaryObject):
        raise DamagedPdfError
    if "/Kids" not in node:
        return None
    kids = node["/Kids"]
    if not isinstance(kids, ArrayObject):
        raise DamagedPdfError
    return [kids.raw_get(index) for index in range(len(kids))]


def _read_signatures(reader: PdfFileReader) -> int:
    """Counts the signatures already there; one that forbids every change (DocMDP level 1, ISO 32000-1, 12.8.2.2) is
    honoured.

    One that cannot be read is counted all the same: it must not hide the others.
    """
    certification = read_certification_data(reader)
    if certification is not None and certification.permission is MDPPerm.NO_CHANGES:
        raise CertifiedNoChangesError
    count = 0
    for name, _value, field_reference in enumerate_sig_fields(reader, filled_status=True):
        count += 1
        try:
            level = EmbeddedPdfSignature(reader, field_reference.get_object(), name).docmdp_level
        except RecursionError:
            raise
        except Exception:  # noqa: BLE001, S112  (a malformed signature raises anything)
            continue
        if level is MDPPerm.NO_CHANGES:
            raise CertifiedNoChangesError
    return count


def _refuse_misread_header(stream: IO[bytes], reader: PdfFileReader, reference: Reference) -> None:
    """pyHanko reads objects whose header no viewer accepts; rewritten by signing, they would suddenly be shown."""
    try:
        place = reader.xrefs[reference]
    except KeyError:
        return
    if not isinstance(place, int):
        return
    stream.seek(place)
    header = _HEADER.match(stream.read(64))
    if header is None or (int(header[1]), int(header[2])) != (reference.idnum, reference.generation):
        raise DamagedPdfError


class _Nowhere(io.RawIOBase):
    """Takes bytes and remembers their number alone."""

    def __init__(self) -> None:
        self._position = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._position += len(data)
        return len(data)

    def tell(self) -> int:
        return self._position


def _try_to_update(stream: IO[bytes], reader: PdfFileReader) -> None:
    """Does to the document what preparing will do to it, so that a refusal comes now and not after the approval."""
    writer = SigningWriter(stream, prev=reader)
    append_signature_field(writer, SigFieldSpec(_TRIAL, on_page=0))
    writer.update_root()  # type: ignore[no-untyped-call]  # pyHanko's is not annotated
    for generation, number in list(writer.objects):
        _refuse_misread_header(stream, reader, Reference(number, generation, reader))
    # The document itself would be copied there by pyHanko's `write`, to no end.
    writer.try_to_write(_Nowhere())
