"""Second half: signature values and time-stamps go into their places. Parses no PDF: it writes at known offsets of a
file that we made."""

from collections.abc import Sequence
from typing import IO

from pyhanko.sign.general import SigningError
from pyhanko.sign.signers.pdf_byterange import PreparedByteRangeDigest

from gateway.errors import InvalidSignatureError, TimestampError
from gateway.pades.algorithms import parse_algorithm, verify_signature_value
from gateway.pades.cms import build_signed_data
from gateway.pades.levels import DocumentTimestampPlace
from gateway.pades.values import PreparedSignature


def complete_document(
    file: IO[bytes],
    *,
    chain: Sequence[bytes],
    sign_algo: str,
    prepared: PreparedSignature,
    value: bytes,
    timestamp: bytes | None = None,
    begin: int = 0,
) -> None:
    """Verifies ``value`` against the signer's certificate and embeds it in the prepared ``file`` (open for reading and
    writing), which may be of the whole document only what stands from ``begin`` on; ``timestamp`` is a token over it,
    DER ContentInfo.

    Raises `InvalidSignatureError`, or `TimestampError` if the two do not fit; the file is then unchanged.
    """
    algorithm = parse_algorithm(certificate=chain[0], sign_algo=sign_algo)
    attributes = prepared.signed_attributes
    verify_signature_value(certificate=chain[0], algorithm=algorithm, signed=attributes, value=value)
    signed_data = build_signed_data(
        chain=chain, algorithm=algorithm, attributes=attributes, value=value, timestamp=timestamp
    )
    try:
        _fill(file, prepared.reserved_start - begin, prepared.reserved_end - begin, signed_data)
    except SigningError:
        raise (InvalidSignatureError if timestamp is None else TimestampError) from None


def complete_timestamp(file: IO[bytes], place: DocumentTimestampPlace, token: bytes) -> None:
    """Embeds a document time-stamp, DER ContentInfo. Raises `TimestampError`; the file is then unchanged."""
    try:
        _fill(file, place.reserved_start, place.reserved_end, token)
    except SigningError:
        raise TimestampError from None


def _fill(file: IO[bytes], start: int, end: int, der: bytes) -> None:
    PreparedByteRangeDigest(b"", start, end).fill_with_cms(file, der)
    file.flush()
