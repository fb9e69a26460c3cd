"""Signed attributes that a caller asked for (EN 319 122-1, 5.2): policy, commitment, claimed roles."""

from asn1crypto import algos, cms, core
from pyhanko.sign.ades.api import CAdESSignedAttrSpec, GenericCommitment, SignerAttrSpec
from pyhanko.sign.ades.cades_asn1 import SignaturePolicyId, SignaturePolicyIdentifier

from gateway.pades.options import SignatureOptions, SignaturePolicy

COMMITMENTS = ("origin", "receipt", "delivery", "sender", "approval", "creation")
_NAME = "2.5.4.41"  # id-at-name, ITU-T X.520, 6.2.1: a role in words


def signed_attribute_spec(options: SignatureOptions) -> CAdESSignedAttrSpec:
    """pyHanko's description of them."""
    commitment = GenericCommitment[f"PROOF_OF_{options.commitment.upper()}"].asn1 if options.commitment else None
    return CAdESSignedAttrSpec(
        commitment_type=commitment,
        signature_policy_identifier=_policy(options.policy) if options.policy else None,
        signer_attributes=SignerAttrSpec([_role(role) for role in options.roles], ()) if options.roles else None,
    )


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
