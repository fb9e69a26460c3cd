"""Signed attributes: those of every PAdES signature (EN 319 142-1, 6.3), and what a caller asked for (EN 319 122-1,
5.2): policy, commitment, claimed roles."""

import hashlib
from collections.abc import Iterator

from asn1crypto import algos, cms, core
from asn1crypto.x509 import Certificate
from pyhanko.sign.ades.api import GenericCommitment
from pyhanko.sign.ades.cades_asn1 import SignaturePolicyId, SignaturePolicyIdentifier, SignerAttributesV2

from gateway.pades.der import element, octets, oid, sequence, set_of
from gateway.pades.options import SignatureOptions, SignaturePolicy

COMMITMENTS = ("origin", "receipt", "delivery", "sender", "approval", "creation")
_NAME = "2.5.4.41"  # id-at-name, ITU-T X.520, 6.2.1: a role in words
_DATA = "1.2.840.113549.1.7.1"
_CONTENT_TYPE, _MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
_SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"
_POLICY, _COMMITMENT = "1.2.840.113549.1.9.16.2.15", "1.2.840.113549.1.9.16.2.16"
_SIGNER_ATTRIBUTES_V2 = "0.4.0.19122.1.1"
_DIRECTORY_NAME = 0xA4


def build_signed_attributes(*, document_digest: bytes, certificate: bytes, options: SignatureOptions) -> bytes:
    """DER of the SET OF Attribute that is signed (RFC 5652, 5.4): content type, message digest, the signer's
    ``certificate`` (DER) by its SHA-256, and what the options add. No signing time: PAdES has it in ``/M``."""
    return set_of(
        [
            _attribute(_CONTENT_TYPE, oid(_DATA)),
            _attribute(_MESSAGE_DIGEST, octets(document_digest)),
            _attribute(_SIGNING_CERTIFICATE_V2, _signing_certificate(certificate)),
            *_asked_for(options),
        ]
    )


def _attribute(kind: str, value: bytes) -> bytes:
    return sequence(oid(kind), set_of([value]))


def _signing_certificate(certificate: bytes) -> bytes:
    """SigningCertificateV2 of one (RFC 5035, 3); SHA-256 is the default algorithm, and so is not named."""
    told = Certificate.load(certificate)["tbs_certificate"]
    issuer = sequence(element(_DIRECTORY_NAME, told["issuer"].dump()))
    identified = sequence(issuer, told["serial_number"].dump())
    return sequence(sequence(sequence(octets(hashlib.sha256(certificate).digest()), identified)))


def _asked_for(options: SignatureOptions) -> Iterator[bytes]:
    if options.commitment:
        commitment = GenericCommitment[f"PROOF_OF_{options.commitment.upper()}"].asn1
        yield _attribute(_COMMITMENT, commitment.dump())
    if options.policy:
        yield _attribute(_POLICY, _policy(options.policy).dump())
    if options.roles:
        claimed = SignerAttributesV2({"claimed_attributes": [_role(role) for role in options.roles]})
        yield _attribute(_SIGNER_ATTRIBUTES_V2, claimed.dump())


def _policy(policy: SignaturePolicy) -> SignaturePolicyIdentifier:
    digest = algos.DigestInfo(
        {"digest_algorithm": algos.DigestAlgorithm({"algorithm": policy.hash_name}), "digest": policy.digest}
    )
    described = {"sig_policy_id": policy.oid, "sig_policy_hash": digest}
    if policy.uri:
        place = {"sig_policy_qualifier_id": "sp_uri", "sig_qualifier": core.IA5String(policy.uri)}
        described["sig_policy_qualifiers"] = [place]
    return SignaturePolicyIdentifier(name="signature_policy_id", value=SignaturePolicyId(described))


def _role(role: str) -> cms.AttCertAttribute:
    return cms.AttCertAttribute({"type": _NAME, "values": [core.UTF8String(role)]})
