"""The CMS object (RFC 5652) around a signature value made elsewhere."""

import asyncio
from collections.abc import Sequence

from asn1crypto import cms
from asn1crypto.x509 import Certificate
from pyhanko.sign.signers import ExternalSigner
from pyhanko_certvalidator.registry import SimpleCertificateStore

from gateway.errors import InvalidSignatureError
from gateway.pades.algorithms import Algorithm


def external_signer(chain: Sequence[bytes], algorithm: Algorithm, value: bytes | None = None) -> ExternalSigner:
    """pyHanko's stand-in for a signer that is elsewhere; ``chain`` is DER, the signer's certificate first."""
    store = SimpleCertificateStore()  # type: ignore[no-untyped-call]  # pyHanko's is not annotated
    for certificate in chain[1:]:
        store.register(Certificate.load(certificate))
    return ExternalSigner(
        signing_cert=Certificate.load(chain[0]),
        cert_registry=store,
        signature_value=value,
        signature_mechanism=algorithm.mechanism(),
        embed_roots=False,
    )


def build_signed_data(
    *, chain: Sequence[bytes], algorithm: Algorithm, attributes: bytes, value: bytes, timestamp: bytes | None = None
) -> bytes:
    """DER of the ContentInfo whose signed attributes are ``attributes``, byte for byte; ``timestamp`` is a token over
    ``value`` (RFC 3161, appendix A)."""
    signer = external_signer(chain, algorithm, value)
    parsed = cms.CMSAttributes.load(attributes)
    content = asyncio.run(signer.async_sign_prescribed_attributes(algorithm.hash_name, parsed))
    if timestamp is not None:
        token = cms.ContentInfo.load(timestamp)
        attribute = cms.CMSAttribute({"type": "signature_time_stamp_token", "values": [token]})
        content["content"]["signer_infos"][0]["unsigned_attrs"] = [attribute]
    der: bytes = content.dump()
    embedded = cms.ContentInfo.load(der)["content"]["signer_infos"][0]["signed_attrs"]
    if embedded.untag().dump() != attributes:
        raise InvalidSignatureError
    return der
