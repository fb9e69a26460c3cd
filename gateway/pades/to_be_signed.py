"""What somebody will approve, fixed: the digest of a prepared document, and the attributes that hold it.

Runs in the calling process, over bytes that no child has its hands on: who reads a stranger's PDF says where the value
of the signature will stand, and not what is signed.
"""

from typing import IO

from gateway.errors import DamagedPdfError, InvalidSignatureError
from gateway.pades.attributes import build_signed_attributes
from gateway.pades.covering import Original, read_signed_bytes
from gateway.pades.values import PreparedSignature, ReservedPlace, SignatureRequest


def fix_signature(
    update: IO[bytes], *, original: Original, place: ReservedPlace, request: SignatureRequest
) -> PreparedSignature:
    """What is to be signed of a file that is ``original`` and then ``update``, in which a child found ``place``.

    Raises `DamagedPdfError` if a viewer would take the signature to cover anything else.
    """
    try:
        found = read_signed_bytes(update, original=original, start=place.start, end=place.end)
    except InvalidSignatureError:
        raise DamagedPdfError from None
    attributes = build_signed_attributes(
        document_digest=found.digest, certificate=request.chain[0], options=request.options
    )
    return PreparedSignature(attributes, place.start, place.end)
