"""CMS objects that are put together from parts are, byte for byte, what the library's classes make."""

import asyncio
import hashlib
import secrets
from typing import Any

import pytest
from asn1crypto import cms
from asn1crypto.x509 import Certificate
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils
from pyhanko.sign.ades.api import CAdESSignedAttrSpec, GenericCommitment, SignerAttrSpec
from pyhanko.sign.signers import ExternalSigner
from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes
from pyhanko_certvalidator.registry import SimpleCertificateStore

from gateway.pades import attributes
from gateway.pades.algorithms import Algorithm, choose_algorithm, longest_value
from gateway.pades.cms import build_signed_data
from gateway.pades.der import element
from gateway.pades.options import SignatureOptions, SignaturePolicy
from tests.gateway.remote import ALGORITHMS
from tests.support.authority import Authority, Identity

DIGEST = hashlib.sha256(b"agreed").digest()
POLICY = SignaturePolicy("1.2.3.4.5", "sha256", DIGEST, "https://policy.example/1")
KEYS: dict[str, Any] = {
    "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "p256": ec.generate_private_key(ec.SECP256R1()),
    "p384": ec.generate_private_key(ec.SECP384R1()),
}
SIGN_ALGOS = [(kind, sign_algo) for kind, offered in ALGORITHMS.items() for sign_algo in offered]


def library_signer(identity: Identity, algorithm: Algorithm, value: bytes | None = None) -> ExternalSigner:
    store = SimpleCertificateStore()  # type: ignore[no-untyped-call]  # pyHanko's is not annotated
    store.register_multiple([Certificate.load(item) for item in identity.chain[1:]])
    return ExternalSigner(
        signing_cert=Certificate.load(identity.certificate),
        cert_registry=store,
        signature_value=value,
        signature_mechanism=algorithm.mechanism(),
        embed_roots=False,
    )


@pytest.fixture(scope="module", params=SIGN_ALGOS, ids=[f"{kind} {oid}" for kind, oid in SIGN_ALGOS])
def signer(request: pytest.FixtureRequest) -> tuple[Identity, Algorithm]:
    kind, sign_algo = request.param
    identity = Authority(name="Prüfstelle für Signaturen").issue("Alice", KEYS[kind])
    return identity, choose_algorithm(certificate=identity.certificate, offered=[sign_algo])


@pytest.mark.parametrize(
    ("options", "spec"),
    [
        (SignatureOptions(), None),
        (
            SignatureOptions(commitment="approval", policy=POLICY, roles=("Tenant", "Wohnungsgeber für Ä")),
            CAdESSignedAttrSpec(
                commitment_type=GenericCommitment.PROOF_OF_APPROVAL.asn1,
                signature_policy_identifier=attributes._policy(POLICY),
                signer_attributes=SignerAttrSpec(
                    [attributes._role(each) for each in ("Tenant", "Wohnungsgeber für Ä")], ()
                ),
            ),
        ),
    ],
    ids=["plain", "asked for"],
)
def test_signed_attributes_are_the_librarys(
    signer: tuple[Identity, Algorithm], options: SignatureOptions, spec: CAdESSignedAttrSpec | None
) -> None:
    identity, algorithm = signer
    expected = asyncio.run(
        library_signer(identity, algorithm).signed_attrs(
            DIGEST,
            algorithm.hash_name,
            use_pades=True,
            attr_settings=PdfCMSSignedAttributes(cades_signed_attrs=spec),
        )
    )
    built = attributes.build_signed_attributes(
        document_digest=DIGEST, certificate=identity.certificate, options=options
    )
    assert built == expected.dump()


@pytest.mark.parametrize("with_timestamp", [False, True])
def test_the_signed_data_are_the_librarys(signer: tuple[Identity, Algorithm], with_timestamp: bool) -> None:
    identity, algorithm = signer
    signed = attributes.build_signed_attributes(
        document_digest=DIGEST, certificate=identity.certificate, options=SignatureOptions()
    )
    value = secrets.token_bytes(256)
    library = library_signer(identity, algorithm, value)
    expected = asyncio.run(
        library.async_sign_prescribed_attributes(algorithm.hash_name, cms.CMSAttributes.load(signed))
    )
    token = expected.copy().dump() if with_timestamp else None  # any ContentInfo does here
    if token:
        attribute = {"type": "signature_time_stamp_token", "values": [cms.ContentInfo.load(token)]}
        expected["content"]["signer_infos"][0]["unsigned_attrs"] = [cms.CMSAttribute(attribute)]
    built = build_signed_data(
        chain=identity.chain, algorithm=algorithm, attributes=signed, value=value, timestamp=token
    )
    assert built == expected.dump()


@pytest.mark.parametrize("length", [0, 1, 127, 128, 255, 256, 65535, 65536, 1 << 24])
def test_lengths_are_encoded_as_short_as_they_can_be(length: int) -> None:
    encoded = element(0x04, bytes(length))
    assert cms.OctetString.load(encoded, strict=True).native == bytes(length)
    assert cms.OctetString(bytes(length)).dump() == encoded


@pytest.mark.parametrize("key", [*KEYS.values(), ec.generate_private_key(ec.SECP521R1())])
def test_the_room_that_is_kept_is_the_longest_value_s_and_no_more(key: Any) -> None:
    """Of a curve the longest is two numbers whose first bit is set (SEC 1, 4.1.3: both below the group's order)."""
    longest = longest_value(certificate=Authority().issue("Alice", key).certificate)
    if isinstance(key, rsa.RSAPrivateKey):
        assert longest == key.key_size // 8
        return
    size = key.curve.key_size
    values = [len(utils.encode_dss_signature(number, number)) for number in (1, 2**size - 1)]
    assert values[0] < values[1] <= longest <= values[1] + 5
    assert len(key.sign(DIGEST, ec.ECDSA(utils.Prehashed(hashes.SHA256())))) <= longest
