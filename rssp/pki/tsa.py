"""Time-stamps: requests, tokens and replies (RFC 3161, RFC 5816, EN 319 422). Plain DER in and out.

>>> request = parse_request(query)
>>> token = build_token(request=request, stamp=stamp, chain=[certificate, issuer], signer=signer)
>>> reply = write_reply(token)
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from asn1crypto import algos, cms, core, parser, tsp, x509

from rssp.algorithms import (
    DIGEST_BYTES,
    HASH_NAMES,
    HASH_OIDS,
    DigestSigner,
    HashName,
    SigningOperation,
    verify_signature,
)
from rssp.errors import (
    ImprintAlgorithmError,
    MalformedTimestampRequestError,
    TimestampExtensionError,
    TimestampVersionError,
)
from rssp.pki.profiles import DEMONSTRATION_POLICY

# Of the TSA's own signature. The issuing authority above it signs by the same algorithm, so whoever can verify the
# chain can verify the token, and RSA would gain nobody.
OPERATION = SigningOperation("ec", "ecdsa", "sha256")
# By time source: whoever reads a token can tell whether anybody vouched for the clock.
DEMONSTRATION_POLICIES = {"kernel": f"{DEMONSTRATION_POLICY}.2.1", "none": f"{DEMONSTRATION_POLICY}.2.2"}
_MALFORMED = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError)
_NULL = core.Null().dump()


@dataclass(frozen=True)
class TimestampRequest:
    """``TimeStampReq``: an imprint by SHA-256, SHA-384 or SHA-512 of the right length. ``has_null`` keeps how the
    caller wrote the hash algorithm's parameters, since the token repeats it."""

    hash_name: HashName
    imprint: bytes
    has_null: bool = False
    policy: str | None = None
    nonce: int | None = None
    wants_certificates: bool = True


@dataclass(frozen=True)
class Stamp:
    """What the authority adds to a request."""

    policy: str
    serial_number: int
    generated: datetime
    accuracy: timedelta


def parse_request(query: bytes) -> TimestampRequest:
    """Raises a `TimestampError` that names what is wrong, and nothing else, whatever ``query`` holds."""
    try:
        return _read_request(tsp.TimeStampReq.load(query, strict=True))
    except _MALFORMED:
        raise MalformedTimestampRequestError("the query is no TimeStampReq") from None


def _read_request(request: tsp.TimeStampReq) -> TimestampRequest:
    """The structure is read when it is asked for, so this may raise anything of `_MALFORMED`."""
    if int(request["version"]) != 1:
        raise TimestampVersionError("the query's version is not 1")
    algorithm, imprint = request["message_imprint"]["hash_algorithm"], request["message_imprint"]["hashed_message"]
    policy, nonce = request["req_policy"].native, request["nonce"].native
    wants_certificates = bool(request["cert_req"].native)
    extensions = request["extensions"].native
    hash_name, has_null = _read_hash(algorithm)
    digest = bytes(imprint.native)
    if len(digest) != DIGEST_BYTES[hash_name]:
        raise MalformedTimestampRequestError("the imprint's length is not its hash algorithm's")
    if extensions is not None:
        # RFC 3161, 2.4.1: critical or not, what is not understood is refused; and none is understood here.
        raise TimestampExtensionError("the query has an extension")
    dotted = None if policy is None else request["req_policy"].dotted
    return TimestampRequest(hash_name, digest, has_null, dotted, nonce, wants_certificates)


def _read_hash(algorithm: algos.DigestAlgorithm) -> tuple[HashName, bool]:
    parameters = algorithm["parameters"]
    is_absent = isinstance(parameters, core.Void)
    if not is_absent and parameters.dump() != _NULL:
        raise MalformedTimestampRequestError("the hash algorithm has parameters")
    name = HASH_NAMES.get(algorithm["algorithm"].dotted)
    if name is None:
        raise ImprintAlgorithmError("the imprint's hash algorithm must be SHA-256, SHA-384 or SHA-512")
    return name, not is_absent


@dataclass(frozen=True)
class _Unit:
    """What every token of one certificate repeats, as DER."""

    public_key: bytes
    signer: bytes  # IssuerAndSerialNumber
    name: bytes  # GeneralName
    certificates: bytes  # CertificateSet, [0] IMPLICIT
    attribute: bytes  # signing-certificate-v2


@lru_cache(maxsize=8)
def _read_unit(chain: tuple[bytes, ...]) -> _Unit:
    certificate = x509.Certificate.load(chain[0])
    issuer = x509.GeneralName("directory_name", certificate.issuer)
    # By SHA-256, which is the default and so is not written, with issuer and serial (RFC 5816; RFC 5035, 4).
    named = {
        "cert_hash": hashlib.sha256(chain[0]).digest(),
        "issuer_serial": {"issuer": [issuer], "serial_number": certificate.serial_number},
    }
    attribute = cms.CMSAttribute(
        {"type": "signing_certificate_v2", "values": [tsp.SigningCertificateV2({"certs": [tsp.ESSCertIDv2(named)]})]}
    )
    return _Unit(
        public_key=certificate.public_key.dump(),
        signer=_sequence(certificate.issuer.dump(), core.Integer(certificate.serial_number).dump()),
        name=x509.GeneralName("directory_name", certificate.subject).dump(),
        certificates=_tagged(0, *sorted(chain)),
        attribute=attribute.dump(),
    )


def build_token(*, request: TimestampRequest, stamp: Stamp, chain: Sequence[bytes], signer: DigestSigner) -> bytes:
    """The ``TimeStampToken`` (CMS ContentInfo) as DER. ``chain`` is DER, the TSA's certificate first; ``signer`` has
    its key, is asked once, and what it answers is verified: `SigningFailedError`.

    The structures are put together here because the library takes fifty times as long for it.
    """
    unit = _read_unit(tuple(chain))
    info = _build_info(request, stamp, unit)
    digest = core.OctetString(hashlib.sha256(info).digest()).dump()
    attributes = b"".join(sorted((_CONTENT_TYPE, _sequence(_MESSAGE_DIGEST, _set(digest)), unit.attribute)))
    signature = _sign(attributes, unit, signer)
    signer_info = _sequence(
        _VERSION_1, unit.signer, _SHA256, _tagged(0, attributes), _ECDSA, core.OctetString(signature).dump()
    )
    content = _sequence(_TST_INFO, _tagged(0, core.OctetString(info).dump()))
    certificates = unit.certificates if request.wants_certificates else b""
    signed_data = _sequence(_VERSION_3, _set(_SHA256), content, certificates, _set(signer_info))
    return _sequence(_SIGNED_DATA, _tagged(0, signed_data))


def _sign(attributes: bytes, unit: _Unit, signer: DigestSigner) -> bytes:
    """Over the attributes as a SET, whatever tag they carry in the token (RFC 5652, 5.4)."""
    digest = hashlib.sha256(_set(attributes)).digest()
    signature = signer.sign_digest(operation=OPERATION, digest=digest)
    verify_signature(public_key=unit.public_key, operation=OPERATION, digest=digest, signature=signature)
    return signature


def _build_info(request: TimestampRequest, stamp: Stamp, unit: _Unit) -> bytes:
    """``TSTInfo``. ``ordering`` is left out, which means false (EN 319 422, 5.2.2)."""
    return _sequence(
        _VERSION_1,
        core.ObjectIdentifier(stamp.policy).dump(),
        _repeat_imprint(request),
        core.Integer(stamp.serial_number).dump(),
        core.GeneralizedTime(stamp.generated).dump(),
        _write_accuracy(stamp.accuracy),
        b"" if request.nonce is None else core.Integer(request.nonce).dump(),
        _tagged(0, unit.name),
    )


def _repeat_imprint(request: TimestampRequest) -> bytes:
    """The query's, to the byte (RFC 3161, 2.4.2)."""
    algorithm = core.ObjectIdentifier(HASH_OIDS[request.hash_name]).dump() + (_NULL if request.has_null else b"")
    return _sequence(_sequence(algorithm), core.OctetString(request.imprint).dump())


def _write_accuracy(accuracy: timedelta) -> bytes:
    seconds, rest = divmod(accuracy // timedelta(milliseconds=1), 1000)
    parts = {"seconds": seconds, "millis": rest}
    written: bytes = tsp.Accuracy({name: value for name, value in parts.items() if value}).dump()
    return written


def _sequence(*parts: bytes) -> bytes:
    return bytes(parser.emit(0, 1, 16, b"".join(parts)))


def _set(*parts: bytes) -> bytes:
    """SET OF, whose members stand in the order of their encodings (X.690, 11.6)."""
    return bytes(parser.emit(0, 1, 17, b"".join(sorted(parts))))


def _tagged(number: int, *parts: bytes) -> bytes:
    """A constructed context-specific tag around what is given."""
    return bytes(parser.emit(2, 1, number, b"".join(parts)))


_VERSION_1, _VERSION_3 = core.Integer(1).dump(), core.Integer(3).dump()
_SHA256 = algos.DigestAlgorithm({"algorithm": "sha256"}).dump()
_ECDSA = algos.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"}).dump()
_SIGNED_DATA, _TST_INFO, _CONTENT_TYPE_ID, _MESSAGE_DIGEST = (
    core.ObjectIdentifier(oid).dump()
    for oid in ("1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4", "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4")
)
# Not by its name: the first attribute that is built by name fixes which names there are, and others add to them.
_CONTENT_TYPE = _sequence(_CONTENT_TYPE_ID, _set(_TST_INFO))


def write_reply(token: bytes) -> bytes:
    """``TimeStampResp`` with status ``granted``."""
    return _sequence(_sequence(core.Integer(0).dump()), token)


def write_refusal(*, failure: str, sentence: str) -> bytes:
    """``TimeStampResp`` with status ``rejection``; ``failure`` is a name of `asn1crypto.tsp.PKIFailureInfo`."""
    status = {"status": "rejection", "status_string": [sentence], "fail_info": {failure}}
    return _sequence(tsp.PKIStatusInfo(status).dump())
