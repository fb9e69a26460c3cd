"""A signature of level B-B, verified once more before anybody gets it: from the file alone, and from what was approved.

Runs in the calling process, and interprets nothing that a stranger wrote: preparing had a reader of PDF find the
signature in the same bytes (`placing`), and that they are the same is what the signed digest says. Levels that add
objects behind the signature are verified in the child process (`verify`).
"""

import hashlib
from collections.abc import Sequence
from typing import IO, Any

from asn1crypto import cms, core

from gateway.errors import CredentialNotUsableError, InvalidSignatureError
from gateway.pades.algorithms import Algorithm, parse_algorithm, verify_signature_value
from gateway.pades.anchoring import verify_chain
from gateway.pades.cms import embedded_certificates, issuer_and_serial
from gateway.pades.covering import Original, SignedBytes, read_signed_bytes
from gateway.pades.der import sequence
from gateway.pades.levels import Trust
from gateway.pades.values import PreparedSignature, VerifiedSignedDocument


def verify_finished(
    update: IO[bytes],
    *,
    chain: Sequence[bytes],
    sign_algo: str,
    prepared: PreparedSignature,
    trust: Trust,
    original: Original,
    size: int,
    sha256: str,
) -> VerifiedSignedDocument:
    """The file is the ``original`` (of this ``size`` and ``sha256``) and one ``update``; the signature in it covers all
    of it, is over the attributes that were approved, by the first certificate of ``chain`` (DER), which leads to an
    anchor.

    Raises `InvalidSignatureError`.
    """
    try:
        algorithm = parse_algorithm(certificate=chain[0], sign_algo=sign_algo)
    except CredentialNotUsableError:
        raise InvalidSignatureError from None
    if (original.size, original.sha256) != (size, sha256) or original.covered.name != algorithm.hash_name:
        raise InvalidSignatureError
    place = {"start": prepared.reserved_start, "end": prepared.reserved_end}
    found = read_signed_bytes(update, original=original, **place)
    try:
        value = _read_signed_data(found, chain, algorithm, prepared.signed_attributes)
    except (ValueError, TypeError, KeyError):
        raise InvalidSignatureError from None
    verify_signature_value(certificate=chain[0], algorithm=algorithm, signed=prepared.signed_attributes, value=value)
    lasts = verify_chain(chain=chain, anchors=trust.anchors, algorithm=algorithm)
    return VerifiedSignedDocument(found.size, found.sha256, "B-B", lasts.isoformat(), revision_size=found.size)


def _read_signed_data(found: SignedBytes, chain: Sequence[bytes], algorithm: Algorithm, attributes: bytes) -> bytes:
    """The signature value of a CMS object (RFC 5652, 5) that says what it must, and nothing else."""
    info = cms.ContentInfo.load(found.contents)
    encoded = info.dump()
    if found.contents != encoded.ljust(len(found.contents), b"\0"):
        raise InvalidSignatureError
    if info["content_type"].native != "signed_data":
        raise InvalidSignatureError
    signed: cms.SignedData = info["content"]
    content = signed["encap_content_info"]
    if content["content_type"].native != "data" or content["content"] is not core.VOID:
        raise InvalidSignatureError
    if [each["algorithm"].native for each in signed["digest_algorithms"]] != [algorithm.hash_name]:
        raise InvalidSignatureError
    if sorted(each.chosen.dump() for each in signed["certificates"]) != sorted(embedded_certificates(chain)):
        raise InvalidSignatureError
    if signed["crls"] is not core.VOID or len(signed["signer_infos"]) != 1:
        raise InvalidSignatureError
    return _read_signer(signed["signer_infos"][0], found.digest, chain[0], algorithm, attributes)


def _read_signer(
    signer: cms.SignerInfo, digest: bytes, certificate: bytes, algorithm: Algorithm, attributes: bytes
) -> bytes:
    if signer["sid"].chosen.dump() != issuer_and_serial(certificate):
        raise InvalidSignatureError
    if signer["digest_algorithm"]["algorithm"].native != algorithm.hash_name:
        raise InvalidSignatureError
    if signer["signature_algorithm"].dump() != algorithm.encoded_mechanism():
        raise InvalidSignatureError
    # Embedded with another tag than it is signed with (5.4).
    if attributes[:1] + signer["signed_attrs"].dump()[1:] != attributes or signer["unsigned_attrs"] is not core.VOID:
        raise InvalidSignatureError
    _verify_attributes(cms.CMSAttributes.load(attributes), digest, certificate)
    value: bytes = signer["signature"].native
    return value


def _verify_attributes(attributes: cms.CMSAttributes, digest: bytes, certificate: bytes) -> None:
    """Those that bind the signature to the file and to the certificate, each there once."""
    if _value_of(attributes, "content_type").native != "data":
        raise InvalidSignatureError
    if _value_of(attributes, "message_digest").native != digest:
        raise InvalidSignatureError
    named = _value_of(attributes, "signing_certificate_v2")["certs"]
    if len(named) != 1 or named[0]["hash_algorithm"]["algorithm"].native != "sha256":
        raise InvalidSignatureError
    if named[0]["cert_hash"].native != hashlib.sha256(certificate).digest():
        raise InvalidSignatureError
    identified = named[0]["issuer_serial"]
    told = sequence(*(each.chosen.untag().dump() for each in identified["issuer"]), identified["serial_number"].dump())
    if told != issuer_and_serial(certificate):
        raise InvalidSignatureError


def _value_of(attributes: cms.CMSAttributes, kind: str) -> Any:
    (values,) = (each["values"] for each in attributes if each["type"].native == kind)
    (value,) = values
    return value
