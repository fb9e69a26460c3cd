"""Our own output, verified before anybody gets it. Runs in the child process, of the levels that add objects behind a
signature: of B-B, `finished` proves as much without a reader of PDF."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from asn1crypto.x509 import Certificate
from cryptography.x509 import load_der_x509_certificate
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.ades.report import AdESFailure, AdESIndeterminate
from pyhanko.sign.diff_analysis import DiffResult, ModificationLevel
from pyhanko.sign.fields import enumerate_sig_fields
from pyhanko.sign.validation import validate_pdf_signature, validate_pdf_timestamp
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko.sign.validation.status import PdfSignatureStatus, SignatureCoverageLevel, SignatureStatus
from pyhanko_certvalidator import ValidationContext

from gateway.errors import (
    CertificateRevokedError,
    InvalidSignatureError,
    LevelError,
    RevocationDataError,
    TimestampError,
)
from gateway.pades.lasting import lasts_until
from gateway.pades.levels import Trust, reaches
from gateway.pades.reading import read_document
from gateway.pades.revocation import is_never_revoked
from gateway.pades.values import VerifiedSignedDocument

_CHUNK = 1024 * 1024
_REVOKED = {AdESFailure.REVOKED, AdESIndeterminate.REVOKED_NO_POE, AdESIndeterminate.REVOKED_CA_NO_POE}


@dataclass(frozen=True)
class Expected:
    """What a signed file must be: the original (``size``, ``sha256``) and then an update with a signature in
    ``field_name`` by the first certificate of ``chain`` (DER), of ``level``; ``password`` opens it."""

    chain: Sequence[bytes]
    field_name: str
    level: str
    size: int
    sha256: str
    password: str = field(default="", repr=False)


def verify_document(stream: IO[bytes], *, expected: Expected, trust: Trust) -> VerifiedSignedDocument:
    """The signature is intact, valid, leads to an anchor and covers all of the file, but for what its level adds.

    That what its level adds changes no page is for `raster.compare_pages` to say, as preparing was.

    Raises `InvalidSignatureError`; where that is right and the level is not reached, a child of `LevelError`.
    """
    verify_prefix(stream, expected.size, expected.sha256)
    stream.seek(0)
    reader = read_document(stream, expected.password)
    signature = _find_signature(reader, expected.field_name)
    if signature.signer_cert.dump() != expected.chain[0]:
        raise InvalidSignatureError
    if signature.sig_object.get("/SubFilter") != "/ETSI.CAdES.detached":
        raise InvalidSignatureError
    chains = _verify_level(reader, signature, expected, trust)
    stream.seek(0)
    digest = hashlib.file_digest(stream, "sha256")  # type: ignore[arg-type]  # any binary file does
    _, _, begin, length = (int(each) for each in signature.byte_range)
    return VerifiedSignedDocument(
        size=stream.seek(0, os.SEEK_END),
        sha256=digest.hexdigest(),
        level=expected.level,
        lasts_until=_lasts(expected.level, chains),
        revision_size=begin + length,
    )


def _verify_level(
    reader: PdfFileReader, signature: EmbeddedPdfSignature, expected: Expected, trust: Trust
) -> list[list[bytes]]:
    """The chains of the signer, of the time-stamp and of the document time-stamp, as far as there are."""
    with_evidence = reaches(expected.level, "B-LT")
    status = _validate(reader, signature, expected, trust, with_evidence)
    if not (status.intact and status.valid):
        raise InvalidSignatureError
    if not status.trusted:
        raise _why(status) if with_evidence else InvalidSignatureError()
    chains = [_chain(status)]
    if reaches(expected.level, "B-T"):
        stamp = status.timestamp_validity
        if stamp is None or not (stamp.intact and stamp.valid):
            raise TimestampError
        if not stamp.trusted:
            raise _why(stamp) if with_evidence else TimestampError()
        chains.append(_chain(stamp))
    _verify_coverage(signature, status, with_evidence)
    if expected.level == "B-LTA":
        chains.append(verify_document_timestamp(reader, trust))
    return chains


def _validate(
    reader: PdfFileReader, signature: EmbeddedPdfSignature, expected: Expected, trust: Trust, with_evidence: bool
) -> PdfSignatureStatus:
    usage = KeyUsageConstraints(key_usage={"non_repudiation", "digital_signature"}, match_all_key_usages=False)
    return validate_pdf_signature(
        signature,
        _context(reader, trust.anchors, expected.chain[1:], with_evidence),
        _context(reader, trust.timestamp_anchors, expected.chain[1:], with_evidence),
        key_usage_settings=usage,
        skip_diff=True,
    )


def _context(
    reader: PdfFileReader, anchors: Iterable[bytes], others: Iterable[bytes], with_evidence: bool
) -> ValidationContext:
    """With evidence, what the document holds must suffice: whatever says where its revocation is told must be told."""
    arguments: dict[str, Any] = {
        "trust_roots": [Certificate.load(anchor) for anchor in anchors],
        "other_certs": [Certificate.load(certificate) for certificate in others],
        "allow_fetching": False,
    }
    if not with_evidence:
        return ValidationContext(**arguments)
    store = DocumentSecurityStore.read_dss(reader)
    return store.as_validation_context({**arguments, "revocation_mode": "hard-fail"})


def _why(status: SignatureStatus) -> LevelError:
    revoked = status.revocation_details is not None or status.trust_problem_indic in _REVOKED
    return CertificateRevokedError() if revoked else RevocationDataError()


def _verify_coverage(signature: EmbeddedPdfSignature, status: PdfSignatureStatus, with_evidence: bool) -> None:
    """Behind the signature stands what its level adds, and nothing else."""
    wanted = SignatureCoverageLevel.ENTIRE_REVISION if with_evidence else SignatureCoverageLevel.ENTIRE_FILE
    if status.coverage is None or status.coverage < wanted:
        raise InvalidSignatureError
    if not with_evidence:
        return
    try:
        signature.compute_integrity_info()  # type: ignore[no-untyped-call]  # pyHanko's is not annotated
    except RecursionError:
        raise
    except Exception:  # noqa: BLE001  (the analysis of odd but sane files raises anything; the update is our own)
        return
    found: Any = signature.diff_result
    if not isinstance(found, DiffResult) or found.modification_level > ModificationLevel.LTA_UPDATES:
        raise InvalidSignatureError


def verify_document_timestamp(reader: PdfFileReader, trust: Trust) -> list[bytes]:
    """The chain of the last document time-stamp, which covers the file to its end. Raises `TimestampError`,
    `InvalidSignatureError`."""
    stamps = reader.embedded_timestamp_signatures
    if not stamps:
        raise TimestampError().reachable("B-LT")
    context = _context(reader, trust.timestamp_anchors, (), with_evidence=False)
    status = validate_pdf_timestamp(stamps[-1], context, skip_diff=True)
    if not (status.intact and status.valid and status.trusted):
        raise TimestampError().reachable("B-LT")
    if status.coverage is not SignatureCoverageLevel.ENTIRE_FILE:
        raise InvalidSignatureError
    return _chain(status)


def _chain(status: SignatureStatus) -> list[bytes]:
    path = status.validation_path
    return [status.signing_cert.dump(), *([each.dump() for each in path.iter_certs(include_root=True)] if path else [])]


def _lasts(level: str, chains: list[list[bytes]]) -> str:
    signer, timestamp, archive = [*chains, [], []][:3]
    short_lived = is_never_revoked(load_der_x509_certificate(signer[0]))
    return lasts_until(level, signer=signer, timestamp=timestamp, archive=archive, short_lived=short_lived).isoformat()


def _find_signature(reader: PdfFileReader, field_name: str) -> EmbeddedPdfSignature:
    """Ours alone: an earlier one that cannot be read is not this one's fault."""
    for name, _value, found in enumerate_sig_fields(reader, filled_status=True, with_name=field_name):
        if name == field_name:
            return EmbeddedPdfSignature(reader, found.get_object(), name)
    raise InvalidSignatureError


def verify_prefix(stream: IO[bytes], size: int, sha256: str) -> None:
    """The file goes on where another one (``size``, ``sha256``) ended. Raises `InvalidSignatureError`."""
    stream.seek(0)
    digest, left = hashlib.sha256(), size
    while left and (chunk := stream.read(min(_CHUNK, left))):
        digest.update(chunk)
        left -= len(chunk)
    if left or digest.hexdigest() != sha256 or not stream.read(1):
        raise InvalidSignatureError
