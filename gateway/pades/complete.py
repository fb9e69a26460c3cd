"""Second half: the signature value goes into its place. Parses no PDF: it writes at known offsets of a file that we
made."""

from collections.abc import Sequence
from typing import IO

from pyhanko.sign.general import SigningError
from pyhanko.sign.signers.pdf_byterange import PreparedByteRangeDigest

from gateway.errors import InvalidSignatureError
from gateway.pades.algorithms import parse_algorithm, verify_signature_value
from gateway.pades.cms import build_signed_data
from gateway.pades.values import PreparedSignature


def complete_document(
    file: IO[bytes], *, chain: Sequence[bytes], sign_algo: str, prepared: PreparedSignature, value: bytes
) -> None:
    """Verifies ``value`` against the signer's certificate and embeds it in the prepared ``file`` (open for reading
    and writing).

    Raises `InvalidSignatureError`; the file is then unchanged.
    """
    algorithm = parse_algorithm(certificate=chain[0], sign_algo=sign_algo)
    attributes = prepared.signed_attributes
    verify_signature_value(certificate=chain[0], algorithm=algorithm, signed=attributes, value=value)
    signed_data = build_signed_data(chain=chain, algorithm=algorithm, attributes=attributes, value=value)
    place = PreparedByteRangeDigest(b"", prepared.reserved_start, prepared.reserved_end)
    try:
        place.fill_with_cms(file, signed_data)
    except SigningError:
        raise InvalidSignatureError from None
    file.flush()
