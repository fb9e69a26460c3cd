"""Writing a damaged PDF anew, for somebody to read before they sign it. Runs in the child process.

A third library does it (qpdf, by pikepdf): it rebuilds lost cross-references as viewers do. What comes out is another
document. Never of one that is signed: its signatures would be lost.
"""

import io
import os
import re
from collections.abc import Sequence
from typing import IO, BinaryIO, cast

import pikepdf

from gateway.errors import (
    DamagedPdfError,
    NotAPdfError,
    PasswordRequiredError,
    PasswordWrongError,
    RepairBreaksSignaturesError,
)

LEADING_BYTES = "leading_bytes"
TRAILING_BYTES = "trailing_bytes"
CROSS_REFERENCES = "cross_references"
OBJECTS = "objects"
XFA = "xfa"
USAGE_RIGHTS = "usage_rights"
REWRITTEN = "rewritten"  # nothing in particular
CHANGES = (LEADING_BYTES, TRAILING_BYTES, CROSS_REFERENCES, OBJECTS, XFA, USAGE_RIGHTS, REWRITTEN)

_HEADER_WINDOW = 1024
_TAIL_WINDOW = 1024 * 1024
_CHUNK = 1024 * 1024
_END = b"%%EOF"
_SIGNED = re.compile(rb"/ByteRange[\x00\t\n\x0c\r ]*\[")
_LONGEST_MATCH = 64
_ABOUT_REFERENCES = re.compile(
    r"xref|cross-reference|trailer|offset|generation|file is damaged|recovering", re.IGNORECASE
)
_CATALOG = re.compile(
    rb"(\d+)[\x00\t\n\x0c\r ]+(\d+)[\x00\t\n\x0c\r ]+obj\b(?:(?!endobj).){0,4000}?/Type[\x00\t\n\x0c\r ]*/Catalog\b",
    re.DOTALL,
)
_LONGEST_WITHOUT_TRAILER = 64 * 1024 * 1024


def repair_document(stream: IO[bytes], output: IO[bytes], *, password: str = "") -> tuple[str, ...]:
    """Writes the document anew to ``output``; answers with what was changed, each one of `CHANGES`.

    Raises `NotAPdfError`, `RepairBreaksSignaturesError`, password errors, `DamagedPdfError`.
    """
    found = _odd_ends(stream)
    signatures = _count_signatures(stream)
    with _open(stream, password) as document:
        rights = _strike_usage_rights(document)
        if rights:
            found.append(USAGE_RIGHTS)
        if signatures > rights or _has_signatures(document):
            raise RepairBreaksSignaturesError
        if _strike_xfa(document):
            found.append(XFA)
        _ = len(document.pages)  # a page tree that cannot be walked raises here
        document.trailer["/Size"] = 1  # is set right when it is written, but not where it is missing
        document.save(cast(BinaryIO, output), encryption=document.is_encrypted, fix_metadata_version=False)
        found += _told(document.get_warnings())
    return tuple(name for name in CHANGES if name in found) or (REWRITTEN,)


def _open(stream: IO[bytes], password: str) -> pikepdf.Pdf:
    """Where the trailer is lost with the cross-references, another one is put behind that names the only catalog."""
    stream.seek(0)
    try:
        return pikepdf.open(cast(BinaryIO, stream), password=password, suppress_warnings=True)
    except pikepdf.PasswordError:
        raise (PasswordWrongError if password else PasswordRequiredError) from None
    except pikepdf.PdfError as error:
        if "trailer" not in str(error):
            raise
    stream.seek(0)
    data = stream.read(_LONGEST_WITHOUT_TRAILER)
    catalogs = list(_CATALOG.finditer(data))
    if len(catalogs) != 1 or stream.read(1):
        raise DamagedPdfError
    number, generation = catalogs[0][1], catalogs[0][2]
    trailer = b"\ntrailer\n<< /Root %s %s R >>\nstartxref\n0\n%%%%EOF\n" % (number, generation)
    return pikepdf.open(io.BytesIO(data + trailer), suppress_warnings=True)


def _odd_ends(stream: IO[bytes]) -> list[str]:
    """What stands before the header, and behind the end."""
    stream.seek(0)
    start = stream.read(_HEADER_WINDOW).find(b"%PDF-")
    if start < 0:
        raise NotAPdfError
    stream.seek(max(0, stream.seek(0, os.SEEK_END) - _TAIL_WINDOW))
    tail = stream.read()
    end = tail.rfind(_END)
    found = [LEADING_BYTES] if start else []
    if end >= 0 and tail[end + len(_END) :].strip(b"\x00\t\n\x0c\r "):
        found.append(TRAILING_BYTES)
    return found


def _count_signatures(stream: IO[bytes]) -> int:
    """A signature's dictionary stands in the file as it is, never compressed or encrypted, found by any reader or
    not."""
    stream.seek(0)
    kept, count = b"", 0
    while chunk := stream.read(_CHUNK):
        count += len(_SIGNED.findall(kept + chunk)) - len(_SIGNED.findall(kept))
        kept = chunk[-_LONGEST_MATCH:]
    return count


def _strike_usage_rights(document: pikepdf.Pdf) -> int:
    """Signatures by which one vendor's reader lets forms be filled (ISO 32000-1, 12.8.2.3): nobody's own, and worth
    nothing after any change. How many there were."""
    permissions = document.Root.get("/Perms")
    if not isinstance(permissions, pikepdf.Dictionary):
        return 0
    rights = [name for name in ("/UR", "/UR3") if name in permissions]
    for name in rights:
        signature = permissions[name]
        del permissions[name]
        if isinstance(signature, pikepdf.Dictionary) and "/ByteRange" in signature:
            del signature["/ByteRange"]
    return len(rights)


def _has_signatures(document: pikepdf.Pdf) -> bool:
    return any(isinstance(found, pikepdf.Dictionary) and "/ByteRange" in found for found in document.objects)


def _strike_xfa(document: pikepdf.Pdf) -> bool:
    """Another form of the form (ISO 32000-1, 12.7.8), which some programs show in the pages' place. One that has no
    pages of its own (NeedsRendering) would be nothing without it."""
    form = document.Root.get("/AcroForm")
    if not isinstance(form, pikepdf.Dictionary) or "/XFA" not in form:
        return False
    if document.Root.get("/NeedsRendering"):
        raise DamagedPdfError
    del form["/XFA"]
    return True


def _told(warnings: Sequence[object]) -> list[str]:
    """What qpdf met; where it met it stands in parentheses, the file's name before."""
    texts = [str(each).rsplit("): ", 1)[-1].rsplit(">: ", 1)[-1] for each in warnings]
    return [
        *([CROSS_REFERENCES] if any(_ABOUT_REFERENCES.search(each) for each in texts) else []),
        *([OBJECTS] if any(not _ABOUT_REFERENCES.search(each) for each in texts) else []),
    ]
