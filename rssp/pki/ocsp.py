"""Reading what people ask about certificates' status, and building the answer (RFC 6960, RFC 5019, RFC 9654).

The library's own builder makes an answer about one certificate, and a request may name several.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from asn1crypto import core
from asn1crypto import ocsp as asn1
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.asymmetric import ec

from rssp.errors import MalformedStatusRequestError
from rssp.pki import der
from rssp.pki.crl import REASON_CODES
from rssp.pki.remote_key import RemoteKey

LONGEST_REQUEST = 16 * 1024
MOST_CERTIFICATES = 20
_LONGEST_NONCE = 128  # RFC 9654, 2.1
# A name for an issuer, not a promise about it: RFC 5019, 2.1.1, has every client use SHA-1.
_ISSUER_HASHES = {"1.3.14.3.2.26": "sha1", "2.16.840.1.101.3.4.2.1": "sha256"}
_NONCE, _ARCHIVE_CUTOFF = "1.3.6.1.5.5.7.48.1.2", "1.3.6.1.5.5.7.48.1.6"
_BASIC = der.encode_oid("1.3.6.1.5.5.7.48.1.1")

Status = Literal["good", "revoked", "unknown"]
Failure = Literal["malformed_request", "internal_error", "try_later", "unauthorized"]
_FAILURES: dict[Failure, int] = {"malformed_request": 1, "internal_error": 2, "try_later": 3, "unauthorized": 6}


@dataclass(frozen=True)
class CertificateId:
    """CertID. ``hash_oid`` is what the two hashes of the issuer were made with; ``has_parameters`` whether the request
    wrote NULL beside it, which some clients compare."""

    hash_oid: str
    has_parameters: bool
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    serial_number: int

    def encode(self) -> bytes:
        """CertID, DER; the same for every request about the same certificate in the same words."""
        parameters = der.encode(der.NULL) if self.has_parameters else b""
        return der.encode(
            der.SEQUENCE,
            der.encode(der.SEQUENCE, der.encode_oid(self.hash_oid), parameters),
            der.encode(der.OCTET_STRING, self.issuer_name_hash),
            der.encode(der.OCTET_STRING, self.issuer_key_hash),
            der.encode_integer(self.serial_number),
        )

    def is_issued_by(self, issuer: "IssuerHashes") -> bool:
        return (self.issuer_name_hash, self.issuer_key_hash) == issuer.with_hash(self.hash_oid)


class IssuerHashes:
    """An authority as requests name it, from its DER certificate."""

    def __init__(self, certificate: bytes) -> None:
        parsed = asn1_x509.Certificate.load(certificate)
        name, key = parsed.subject.dump(), bytes(parsed.public_key["public_key"])
        self._hashes = {
            oid: (hashlib.new(algorithm, name).digest(), hashlib.new(algorithm, key).digest())
            for oid, algorithm in _ISSUER_HASHES.items()
        }

    def with_hash(self, oid: str) -> tuple[bytes, bytes] | None:
        """The hashes of its name and its key; None with an algorithm that names no issuer here."""
        return self._hashes.get(oid)


@dataclass(frozen=True)
class StatusRequest:
    """What an OCSPRequest asks. ``certificates`` is in its order; an id with an unknown hash algorithm keeps its place
    and is nobody's."""

    certificates: tuple[CertificateId, ...]
    nonce: bytes | None


@dataclass(frozen=True)
class SingleStatus:
    """``revoked_at`` and ``reason`` belong to ``revoked`` alone, ``archive_cutoff`` to all but ``unknown``."""

    certificate_id: CertificateId
    status: Status
    revoked_at: datetime | None = None
    reason: str = ""
    archive_cutoff: datetime | None = None


def parse_request(encoded: bytes) -> StatusRequest:
    """The request; its signature, if it has one, is not looked at. Raises `MalformedStatusRequestError`."""
    if len(encoded) > LONGEST_REQUEST:
        raise MalformedStatusRequestError("the request is too long")
    try:
        # The structure is read when it is asked for, so all of it is read within this block.
        parsed = asn1.OCSPRequest.load(encoded, strict=True)
        tbs = parsed["tbs_request"]
        if tbs["version"].native != "v1" or not 1 <= len(tbs["request_list"]) <= MOST_CERTIFICATES:
            raise MalformedStatusRequestError("another version, or no certificate, or too many of them")
        for single in tbs["request_list"]:
            _refuse_critical(single["single_request_extensions"], known=frozenset())
        _refuse_critical(tbs["request_extensions"], known=frozenset({"nonce"}))
        certificates = tuple(_parse_certificate_id(single["req_cert"]) for single in tbs["request_list"])
        return StatusRequest(certificates, _parse_nonce(tbs["request_extensions"]))
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError):
        raise MalformedStatusRequestError("the request is no OCSPRequest") from None


def _refuse_critical(extensions: asn1.TBSRequestExtensions, *, known: frozenset[str]) -> None:
    if isinstance(extensions, core.Void):
        return
    if any(extension["critical"].native and extension["extn_id"].native not in known for extension in extensions):
        raise MalformedStatusRequestError("a critical extension that is not known here")


def _parse_certificate_id(certificate_id: asn1.CertId) -> CertificateId:
    algorithm = certificate_id["hash_algorithm"]
    parameters = algorithm["parameters"]
    if parameters.native is not None:
        raise ValueError("a hash algorithm has no parameters")
    return CertificateId(
        hash_oid=str(algorithm["algorithm"].dotted),
        has_parameters=isinstance(parameters, core.Null),
        issuer_name_hash=bytes(certificate_id["issuer_name_hash"].native),
        issuer_key_hash=bytes(certificate_id["issuer_key_hash"].native),
        serial_number=int(certificate_id["serial_number"].native),
    )


def _parse_nonce(extensions: asn1.TBSRequestExtensions) -> bytes | None:
    if isinstance(extensions, core.Void):
        return None
    nonces = [extension["extn_value"] for extension in extensions if extension["extn_id"].native == "nonce"]
    if not nonces:
        return None
    nonce = bytes(core.OctetString.load(bytes(nonces[0]), strict=True).native)
    if len(nonces) > 1 or not 1 <= len(nonce) <= _LONGEST_NONCE:
        raise MalformedStatusRequestError("a nonce has 1 to 128 bytes")
    return nonce


def build_answer(
    *,
    statuses: Sequence[SingleStatus],
    nonce: bytes | None,
    responder: bytes,
    key: RemoteKey,
    this_update: datetime,
    next_update: datetime,
) -> bytes:
    """OCSPResponse as DER with its signature verified. ``responder`` is the delegated responder's certificate, DER,
    which goes with the answer, and ``key`` its key, which is asked once."""
    certificate = asn1_x509.Certificate.load(responder)
    extensions = b""
    if nonce is not None:
        extension = der.encode_extension(_NONCE, der.encode(der.OCTET_STRING, nonce))
        extensions = der.explicit(1, der.encode(der.SEQUENCE, extension))
    to_be_signed = der.encode(
        der.SEQUENCE,
        der.explicit(2, der.encode(der.OCTET_STRING, certificate.public_key.sha1)),
        der.encode_generalized_time(this_update),
        der.encode(der.SEQUENCE, *(_encode_status(status, this_update, next_update) for status in statuses)),
        extensions,
    )
    basic = der.encode(
        der.SEQUENCE,
        to_be_signed,
        asn1_x509.SignedDigestAlgorithm({"algorithm": f"{key.hash_algorithm.name}_ecdsa"}).dump(),
        der.encode(der.BIT_STRING, b"\0", key.sign(to_be_signed, ec.ECDSA(key.hash_algorithm))),
        der.explicit(0, der.encode(der.SEQUENCE, responder)),
    )
    content = der.encode(der.SEQUENCE, _BASIC, der.encode(der.OCTET_STRING, basic))
    return der.encode(der.SEQUENCE, der.encode(der.ENUMERATED, b"\0"), der.explicit(0, content))


def build_failure(failure: Failure) -> bytes:
    """OCSPResponse without an answer (RFC 6960, 2.3)."""
    return der.encode(der.SEQUENCE, der.encode(der.ENUMERATED, bytes((_FAILURES[failure],))))


def _encode_status(status: SingleStatus, this_update: datetime, next_update: datetime) -> bytes:
    extensions = b""
    if status.archive_cutoff is not None:
        cutoff = der.encode_extension(_ARCHIVE_CUTOFF, der.encode_generalized_time(status.archive_cutoff))
        extensions = der.explicit(1, der.encode(der.SEQUENCE, cutoff))
    return der.encode(
        der.SEQUENCE,
        status.certificate_id.encode(),
        _encode_certificate_status(status),
        der.encode_generalized_time(this_update),
        der.explicit(0, der.encode_generalized_time(next_update)),
        extensions,
    )


def _encode_certificate_status(status: SingleStatus) -> bytes:
    """CertStatus, a CHOICE of implicit tags."""
    if status.revoked_at is None:
        return der.encode({"good": 0x80, "unknown": 0x82}[status.status])
    code = REASON_CODES[status.reason]
    reason = der.explicit(0, der.encode(der.ENUMERATED, bytes((code,)))) if code else b""
    return der.encode(0xA1, der.encode_generalized_time(status.revoked_at), reason)
