"""Our own output, verified before anybody gets it. Runs in the child process."""

import hashlib
import os
from collections.abc import Sequence
from typing import IO

from asn1crypto.x509 import Certificate
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import enumerate_sig_fields
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

from gateway.errors import InvalidSignatureError
from gateway.pades.reading import strict_reader
from gateway.pades.values import VerifiedSignedDocument

_CHUNK = 1024 * 1024


def verify_document(
    stream: IO[bytes], *, chain: Sequence[bytes], anchors: Sequence[bytes], field_name: str, size: int, sha256: str
) -> VerifiedSignedDocument:
    """Raises `InvalidSignatureError` unless the file is the original (``size``, ``sha256``) followed by one update
    whose signature in ``field_name`` is intact, valid, covers the entire file, names the first certificate of
    ``chain`` and leads to one of ``anchors`` (DER)."""
    _verify_prefix(stream, size, sha256)
    stream.seek(0)
    reader = strict_reader(stream)
    signature = _find_signature(reader, field_name)
    if signature.signer_cert.dump() != chain[0]:
        raise InvalidSignatureError
    if signature.sig_object.get("/SubFilter") != "/ETSI.CAdES.detached":
        raise InvalidSignatureError
    context = ValidationContext(
        trust_roots=[Certificate.load(anchor) for anchor in anchors],
        other_certs=[Certificate.load(certificate) for certificate in chain[1:]],
        allow_fetching=False,
    )
    usage = KeyUsageConstraints(key_usage={"non_repudiation", "digital_signature"}, match_all_key_usages=False)
    status = validate_pdf_signature(signature, context, key_usage_settings=usage)
    if not (status.intact and status.valid and status.trusted):
        raise InvalidSignatureError
    if status.coverage is not SignatureCoverageLevel.ENTIRE_FILE:
        raise InvalidSignatureError
    stream.seek(0)
    digest = hashlib.file_digest(stream, "sha256")  # type: ignore[arg-type]  # any binary file does
    return VerifiedSignedDocument(stream.seek(0, os.SEEK_END), digest.hexdigest())


def _find_signature(reader: PdfFileReader, field_name: str) -> EmbeddedPdfSignature:
    """Ours alone: an earlier one that cannot be read is not this one's fault."""
    for name, _value, field in enumerate_sig_fields(reader, filled_status=True, with_name=field_name):
        if name == field_name:
            return EmbeddedPdfSignature(reader, field.get_object(), name)
    raise InvalidSignatureError


def _verify_prefix(stream: IO[bytes], size: int, sha256: str) -> None:
    stream.seek(0)
    digest, left = hashlib.sha256(), size
    while left and (chunk := stream.read(min(_CHUNK, left))):
        digest.update(chunk)
        left -= len(chunk)
    if left or digest.hexdigest() != sha256 or not stream.read(1):
        raise InvalidSignatureError
