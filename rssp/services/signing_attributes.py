"""Signing for an approved *document* digest (``hashType`` sdr), by way of CMS signed attributes that are read first.

Not reachable from outside: ``signatures/signDoc`` answers 501.

>>> [value] = sign_signed_attributes(bearer=token, request=request, attributes=[der], origin=origin)
"""

import hashlib
from collections.abc import Sequence

from rssp.clients.introspection import VerifiedToken
from rssp.errors import SignedAttributesError
from rssp.services.auditing import Origin
from rssp.services.ledger import DOCUMENT_HASH_TYPE
from rssp.services.signing import perform, verify_call
from rssp.signed_attributes import read_message_digest
from rssp.wire import SignHashRequest


def sign_signed_attributes(
    *, bearer: VerifiedToken, request: SignHashRequest, attributes: Sequence[bytes], origin: Origin
) -> list[bytes]:
    """The signature over each of ``attributes`` (DER of ``SET OF Attribute``), whose message digests are the request's
    ``hashes``, in their order, and were approved as document digests.

    What is signed is hashed here, by the hash algorithm that was approved. Raises `SignedAttributesError`, and what
    `sign_hashes` raises.
    """
    call = verify_call(bearer=bearer, request=request, origin=origin)
    if [read_message_digest(each) for each in attributes] != list(call.digests):
        raise SignedAttributesError("the attributes are not of these documents")
    hashed = tuple(hashlib.new(call.operation.hash_name, each).digest() for each in attributes)
    return perform(call=call, hash_type=DOCUMENT_HASH_TYPE, to_be_signed=hashed)
