"""What an archived document has to prove itself by, and whether it does. Runs in the child process.

EN 319 142-1, 5.5: a further document time-stamp covers the former one and what shows that its certificate was good.
"""

import hashlib
import os
from typing import IO

from asn1crypto import cms
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.general import extract_certificate_info
from pyhanko.sign.validation.generic_cms import extract_tst_data_iter
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.status import SignatureCoverageLevel

from gateway.errors import BrokenSignatureError, NotSignedError
from gateway.pades.lasting import lasts_until
from gateway.pades.levels import Proofs, Trust
from gateway.pades.reading import read_document
from gateway.pades.values import VerifiedSignedDocument
from gateway.pades.verify import verify_document_timestamp, verify_prefix


def read_proofs(stream: IO[bytes], *, password: str = "") -> Proofs:
    """Raises `NotSignedError`, `BrokenSignatureError`, document errors."""
    reader = read_document(stream, password)
    signatures = reader.embedded_regular_signatures
    if not signatures:
        raise NotSignedError
    for each in (*signatures, *reader.embedded_timestamp_signatures):
        _refuse_broken(each)
    stamps = reader.embedded_timestamp_signatures
    signed = [stamps[-1].signed_data] if stamps and _covers_all(stamps[-1]) else _all_signed(reader)
    infos = [extract_certificate_info(each) for each in signed]
    leaves = dict.fromkeys(info.signer_cert.dump() for info in infos)
    known = dict.fromkeys(each.dump() for info in infos for each in info.other_certs)
    return Proofs(len(signatures), tuple(leaves), tuple(known))


def _refuse_broken(signature: EmbeddedPdfSignature) -> None:
    """Its digest is that of the bytes that it covers: nobody can make good what is broken now."""
    info = signature.signer_info
    digest = hashlib.new(info["digest_algorithm"]["algorithm"].native)
    begin, length, again, rest = (int(number) for number in signature.byte_range)
    for start, size in ((begin, length), (again, rest)):
        signature.reader.stream.seek(start)
        digest.update(signature.reader.stream.read(size))
    if digest.digest() != _stated_digest(signature):
        raise BrokenSignatureError


def _stated_digest(signature: EmbeddedPdfSignature) -> bytes:
    if signature.sig_object_type == "/DocTimeStamp":
        stamp = signature.signed_data["encap_content_info"]["content"].parsed
        stated: bytes = stamp["message_imprint"]["hashed_message"].native
        return stated
    attributes = signature.signer_info["signed_attrs"]
    return next(bytes(each["values"][0].native) for each in attributes if each["type"].native == "message_digest")


def _covers_all(stamp: EmbeddedPdfSignature) -> bool:
    return stamp.evaluate_signature_coverage() is SignatureCoverageLevel.ENTIRE_FILE


def _all_signed(reader: PdfFileReader) -> list[cms.SignedData]:
    found = []
    for each in reader.embedded_signatures:
        found.append(each.signed_data)
        if each.sig_object_type != "/DocTimeStamp":
            found += extract_tst_data_iter(each.signer_info, signed=False)
    return found


def verify_archive(
    stream: IO[bytes], *, size: int, sha256: str, trust: Trust, password: str = ""
) -> VerifiedSignedDocument:
    """The file is the former one (``size``, ``sha256``) and an update whose document time-stamp covers all of it.

    Raises `InvalidSignatureError`, `TimestampError`.
    """
    verify_prefix(stream, size, sha256)
    stream.seek(0)
    chain = verify_document_timestamp(read_document(stream, password), trust)
    stream.seek(0)
    digest = hashlib.file_digest(stream, "sha256")  # type: ignore[arg-type]  # any binary file does
    until = lasts_until("B-LTA", signer=(), archive=chain)
    return VerifiedSignedDocument(
        size=stream.seek(0, os.SEEK_END),
        sha256=digest.hexdigest(),
        level="B-LTA",
        lasts_until=until.isoformat(),
        revision_size=size,
    )
