"""Time-stamps: requests, tokens and replies (RFC 3161, RFC 5816, EN 319 422). Plain DER in and out.

>>> request = parse_request(query)
>>> token = build_token(request=request, stamp=stamp, chain=[certificate, issuer], signer=signer)
>>> reply = write_reply(token)
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from asn1crypto import algos, cms, core, tsp, x509

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


def build_token(*, request: TimestampRequest, stamp: Stamp, chain: Sequence[bytes], signer: DigestSigner) -> bytes:
    """The ``TimeStampToken`` (CMS ContentInfo) as DER. ``chain`` is DER, the TSA's certificate first; ``signer`` has
    its key, is asked once, and what it answers is verified: `SigningFailedError`."""
    certificate = x509.Certificate.load(chain[0])
    content = core.ParsableOctetString(_build_info(request, stamp, certificate).dump())
    attributes = _build_attributes(bytes(content), certificate)
    digest = hashlib.sha256(attributes.dump()).digest()
    signature = signer.sign_digest(operation=OPERATION, digest=digest)
    verify_signature(public_key=certificate.public_key.dump(), operation=OPERATION, digest=digest, signature=signature)
    signer_info = {
        "version": "v1",
        "sid": cms.SignerIdentifier({"issuer_and_serial_number": _issuer_and_serial(certificate)}),
        "digest_algorithm": {"algorithm": "sha256"},
        "signed_attrs": attributes,
        "signature_algorithm": {"algorithm": "sha256_ecdsa"},
        "signature": signature,
    }
    signed = {
        "version": "v3",
        "digest_algorithms": [{"algorithm": "sha256"}],
        "encap_content_info": {"content_type": "tst_info", "content": content},
        "signer_infos": [signer_info],
    }
    if request.wants_certificates:
        signed["certificates"] = [cms.CertificateChoices("certificate", x509.Certificate.load(der)) for der in chain]
    token: bytes = cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)}).dump()
    return token


def _build_info(request: TimestampRequest, stamp: Stamp, certificate: x509.Certificate) -> tsp.TSTInfo:
    """``ordering`` is left out, which means false (EN 319 422, 5.2.2)."""
    info: dict[str, object] = {
        "version": "v1",
        "policy": stamp.policy,
        "message_imprint": _repeat_imprint(request),
        "serial_number": stamp.serial_number,
        "gen_time": stamp.generated,
        "accuracy": _write_accuracy(stamp.accuracy),
        "tsa": x509.GeneralName("directory_name", certificate.subject),
    }
    if request.nonce is not None:
        info["nonce"] = request.nonce
    return tsp.TSTInfo(info)


class _HashAlgorithm(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    """An AlgorithmIdentifier as it was sent: the library's own always has parameters."""

    _fields = [("algorithm", core.ObjectIdentifier), ("parameters", core.Null, {"optional": True})]


class _MessageImprint(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    _fields = [("hash_algorithm", _HashAlgorithm), ("hashed_message", core.OctetString)]


def _repeat_imprint(request: TimestampRequest) -> tsp.MessageImprint:
    """The query's, to the byte (RFC 3161, 2.4.2)."""
    algorithm = {"algorithm": HASH_OIDS[request.hash_name]} | ({"parameters": core.Null()} if request.has_null else {})
    imprint = _MessageImprint({"hash_algorithm": algorithm, "hashed_message": request.imprint})
    return tsp.MessageImprint.load(imprint.dump())


def _write_accuracy(accuracy: timedelta) -> tsp.Accuracy:
    seconds, rest = divmod(accuracy // timedelta(milliseconds=1), 1000)
    parts = {"seconds": seconds, "millis": rest}
    return tsp.Accuracy({name: value for name, value in parts.items() if value})


def _build_attributes(content: bytes, certificate: x509.Certificate) -> cms.CMSAttributes:
    """RFC 5652, 11.1 and 11.2, and which certificate signs: by SHA-256, with issuer and serial (RFC 5816, RFC 5035)."""
    name = x509.GeneralName("directory_name", certificate.issuer)
    named = tsp.ESSCertIDv2(
        {
            "cert_hash": hashlib.sha256(certificate.dump()).digest(),
            "issuer_serial": {"issuer": [name], "serial_number": certificate.serial_number},
        }
    )
    return cms.CMSAttributes(
        [
            cms.CMSAttribute({"type": "content_type", "values": ["tst_info"]}),
            cms.CMSAttribute({"type": "message_digest", "values": [hashlib.sha256(content).digest()]}),
            cms.CMSAttribute(
                {"type": "signing_certificate_v2", "values": [tsp.SigningCertificateV2({"certs": [named]})]}
            ),
        ]
    )


def _issuer_and_serial(certificate: x509.Certificate) -> cms.IssuerAndSerialNumber:
    return cms.IssuerAndSerialNumber({"issuer": certificate.issuer, "serial_number": certificate.serial_number})


class _Reply(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    """``TimeStampResp``, whose token the library wants even in a refusal."""

    _fields = [("status", tsp.PKIStatusInfo), ("time_stamp_token", cms.ContentInfo, {"optional": True})]


def write_reply(token: bytes) -> bytes:
    """``TimeStampResp`` with status ``granted``."""
    reply: bytes = _Reply({"status": {"status": "granted"}, "time_stamp_token": cms.ContentInfo.load(token)}).dump()
    return reply


def write_refusal(*, failure: str, sentence: str) -> bytes:
    """``TimeStampResp`` with status ``rejection``; ``failure`` is a name of `asn1crypto.tsp.PKIFailureInfo`."""
    status = {"status": "rejection", "status_string": [sentence], "fail_info": {failure}}
    reply: bytes = _Reply({"status": status}).dump()
    return reply
