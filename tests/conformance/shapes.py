"""Whether a success says what the specification's output tables want. Each check raises `ShapeError`."""

import base64
import itertools
import re
from collections.abc import Callable
from typing import Any

from asn1crypto import tsp
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from tests.conformance.rows import Version

_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
_TIME = re.compile(r"[0-9]{14}Z")
_AUTH_TYPES = {"external", "TLS", "basic", "digest", "oauth2code", "oauth2client"}


class ShapeError(AssertionError):
    """The answer is a success that lacks something or says it wrongly."""


def want(condition: object, sentence: str) -> None:
    if not condition:
        raise ShapeError(sentence)


def strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def check_info(body: dict[str, Any], version: Version) -> None:
    for name in ("specs", "name", "logo", "region", "lang", "description"):
        want(isinstance(body.get(name), str) and body[name], f"{name} is not a string")
    want(re.fullmatch(rf"{version}\.\d+\.\d+\.\d+", body["specs"]), "specs is not of this version")
    want(re.fullmatch(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", body["lang"]), "lang is not a language tag (RFC 5646)")
    want(re.fullmatch(r"[A-Z]{2}", body["region"]), "region is not an ISO 3166-1 code")
    want(len(body["name"]) <= 255 and len(body["description"]) <= 255, "name or description is over 255 characters")
    want(strings(body.get("authType")) and set(body["authType"]) <= _AUTH_TYPES, "authType has an unknown value")
    want(strings(body.get("methods")), "methods is not an array of strings")
    where = [name for name in ("oauth2", "oauth2Issuer", "oauth2Servers") if name in body]
    if {"oauth2code", "oauth2client"} & set(body["authType"]):
        want(len(where) == 1, "not exactly one of oauth2, oauth2Issuer and oauth2Servers")
    if version == 1:
        return
    algorithms = body.get("signAlgorithms")
    want(isinstance(algorithms, dict) and strings(algorithms.get("algos")), "signAlgorithms.algos is missing")
    want(all(_OID.fullmatch(oid) for oid in body["signAlgorithms"]["algos"]), "an algorithm is not an OID")
    formats = body.get("signature_formats")
    want(isinstance(formats, dict) and strings(formats.get("formats")), "signature_formats.formats is missing")
    properties = body["signature_formats"].get("envelope_properties")
    if properties is not None:
        want(len(properties) == len(body["signature_formats"]["formats"]), "envelope_properties: one array a format")
    want(strings(body.get("conformance_levels")), "conformance_levels is missing")


def check_login(body: dict[str, Any], _version: Version) -> None:
    want(isinstance(body.get("access_token"), str) and body["access_token"], "access_token is missing")
    want(isinstance(body.get("expires_in", 1), int) and body.get("expires_in", 1) > 0, "expires_in is no number")


def check_list(body: dict[str, Any], _version: Version) -> None:
    want(strings(body.get("credentialIDs")), "credentialIDs is not an array of strings")


def check_one(body: dict[str, Any], version: Version) -> None:
    check_list(body, version)
    want(len(body["credentialIDs"]) <= 1, "more than maxResults")


def check_infos(body: dict[str, Any], version: Version) -> None:
    check_list(body, version)
    want(isinstance(body.get("credentialInfos"), list), "credentialInfos is missing")
    want([item.get("credentialID") for item in body["credentialInfos"]] == body["credentialIDs"], "not the same ones")
    for item in body["credentialInfos"]:
        check_credential(item, version)


def check_credential(body: dict[str, Any], version: Version) -> None:
    key, cert = body.get("key"), body.get("cert")
    want(isinstance(key, dict) and isinstance(cert, dict), "key or cert is missing")
    assert isinstance(key, dict)
    assert isinstance(cert, dict)
    want(key.get("status") in {"enabled", "disabled"}, "key.status is none of two")
    want(strings(key.get("algo")) and key["algo"] and all(_OID.fullmatch(oid) for oid in key["algo"]), "key.algo")
    want(type(key.get("len")) is int, "key.len is not a number")
    want(type(body.get("multisign")) is int and body["multisign"] >= 1, "multisign is not a number from 1")
    want(body.get("SCAL", "1") in {"1", "2"}, "SCAL is none of two strings")
    want(cert.get("status", "valid") in {"valid", "expired", "revoked", "suspended"}, "cert.status is none of four")
    for name in ("validFrom", "validTo"):
        want(name not in cert or _TIME.fullmatch(cert[name]), f"cert.{name} is no GeneralizedTime")
    for name in ("issuerDN", "subjectDN"):
        if name in cert:
            x509.Name.from_rfc4514_string(cert[name])
    certificates = read_chain(body)
    if certificates and "serialNumber" in cert:
        want(int(cert["serialNumber"], 16) == certificates[0].serial_number, "cert.serialNumber is another one")
    if certificates and isinstance(
        public := certificates[0].public_key(), rsa.RSAPublicKey | ec.EllipticCurvePublicKey
    ):
        want(public.key_size == key["len"], "key.len is not the certificate's")
    for child, parent in itertools.pairwise(certificates):
        child.verify_directly_issued_by(parent)
    _check_authorisation(body, version)


def _check_authorisation(body: dict[str, Any], version: Version) -> None:
    if version == 1:
        want(body.get("authMode") in {"implicit", "explicit", "oauth2code"}, "authMode is none of three")
        for name in ("PIN", "OTP"):
            if name in body:
                want(
                    body[name].get("presence") in {"true", "false", "optional"},
                    f"{name}.presence is no string of three",
                )
        return
    auth = body.get("auth")
    want(isinstance(auth, dict) and auth.get("mode") in {"explicit", "oauth2code"}, "auth.mode is none of two")
    assert isinstance(auth, dict)
    for item in auth.get("objects") or []:
        want(isinstance(item.get("type"), str) and isinstance(item.get("id"), str), "an object without type or id")


def check_sad(body: dict[str, Any], _version: Version) -> None:
    want(isinstance(body.get("SAD"), str) and body["SAD"], "SAD is missing")
    want(type(body.get("expiresIn", 1)) is int and body.get("expiresIn", 1) > 0, "expiresIn is no number")


def check_handle(body: dict[str, Any], _version: Version) -> None:
    want(isinstance(body.get("handle"), str) and body["handle"], "handle is missing")


def check_signatures(body: dict[str, Any], _version: Version) -> None:
    want(strings(body.get("signatures")) and body["signatures"], "signatures is not an array of strings")
    for item in body["signatures"]:
        base64.b64decode(item, validate=True)


def check_response_id(body: dict[str, Any], _version: Version) -> None:
    want(isinstance(body.get("responseID"), str) and body["responseID"], "responseID is missing")


def check_timestamp(body: dict[str, Any], _version: Version) -> None:
    token = tsp.ContentInfo.load(base64.b64decode(body.get("timestamp") or "", validate=True), strict=True)
    info = token["content"]["encap_content_info"]["content"].parsed
    want(info["message_imprint"]["hashed_message"].native == TIMESTAMPED, "the token is over another digest")


CHECKS: dict[str, Callable[[dict[str, Any], Version], None]] = {
    "info": check_info,
    "login": check_login,
    "list": check_list,
    "list of one": check_one,
    "list with infos": check_infos,
    "credential": check_credential,
    "sad": check_sad,
    "handle": check_handle,
    "signatures": check_signatures,
    "response id": check_response_id,
    "timestamp": check_timestamp,
}
TIMESTAMPED = bytes(range(32))


def read_chain(credential: dict[str, Any]) -> list[x509.Certificate]:
    """The certificates of a ``credentials/info`` answer, as far as there are any."""
    encoded = credential.get("cert", {}).get("certificates") or []
    return [x509.load_der_x509_certificate(base64.b64decode(item, validate=True)) for item in encoded]


def verify_signature(certificate: x509.Certificate, digest: bytes, signature: bytes) -> None:
    """Raises `ShapeError` unless the certificate's key made it, over a SHA-256 digest, as PKCS#1 v1.5 or ECDSA."""
    key = certificate.public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, digest, padding.PKCS1v15(), Prehashed(hashes.SHA256()))
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, digest, ec.ECDSA(Prehashed(hashes.SHA256())))
        else:
            raise ShapeError("a key that this kit does not know")
    except InvalidSignature:
        raise ShapeError("the signature does not verify with the certificate") from None
