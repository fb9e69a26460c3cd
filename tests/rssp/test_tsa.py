"""Requests, tokens and replies of RFC 3161 as bytes: no database, no HSM, a key of this test's own."""

import hashlib
import subprocess
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms, core, tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st
from pyasn1.codec.der import decoder, encoder
from pyasn1_modules import rfc3161, rfc5035, rfc5652

from rssp.algorithms import HASH_OIDS
from rssp.errors import (
    ImprintAlgorithmError,
    MalformedTimestampRequestError,
    SigningFailedError,
    TimestampError,
    TimestampExtensionError,
    TimestampVersionError,
)
from rssp.pki.tsa import Stamp, TimestampRequest, build_token, parse_request, write_refusal, write_reply
from tests.rssp.timestamps import build_query, openssl, read_reply
from tests.support.authority import Authority

MESSAGE = b"A lease, three pages.\n"
SHA1, MD5, SHA224 = "1.3.14.3.2.26", "1.2.840.113549.2.5", "2.16.840.1.101.3.4.2.4"
SIGNING_CERTIFICATE = str(rfc5035.id_aa_signingCertificateV2)
YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).replace(microsecond=120000)
STAMP = Stamp("2.25.1", 1 << 127 | 7, YESTERDAY, timedelta(seconds=1))


class Tsa:
    """A key with a certificate whose only extended usage is time-stamping, below an authority."""

    def __init__(self) -> None:
        self.authority, self.key = Authority(), ec.generate_private_key(ec.SECP256R1())
        issuer, now = x509.load_der_x509_certificate(self.authority.certificate), STAMP.generated
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name.from_rfc4514_string("CN=Test TSA,O=Test,C=FR"))
            .issuer_name(issuer.subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=300))
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
            .sign(self.authority.key, hashes.SHA256())
        )
        self.chain = [certificate.public_bytes(Encoding.DER), self.authority.certificate]

    def sign_digest(self, *, operation: Any, digest: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

        return self.key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256())))

    def stamp(self, request: TimestampRequest, stamp: Stamp = STAMP) -> bytes:
        return build_token(request=request, stamp=stamp, chain=self.chain, signer=self)


@pytest.fixture(scope="module")
def authority() -> Tsa:
    return Tsa()


def digest_of(name: str) -> bytes:
    return hashlib.new(name, MESSAGE).digest()


REFUSED: list[tuple[str, bytes, type[TimestampError]]] = [
    ("nothing", b"", MalformedTimestampRequestError),
    ("text", b"time, please", MalformedTimestampRequestError),
    ("a null", b"\x05\x00", MalformedTimestampRequestError),
    ("an empty sequence", b"\x30\x00", MalformedTimestampRequestError),
    ("an indefinite length without end", b"\x30\x80\x02\x01\x01", MalformedTimestampRequestError),
    ("a length beyond the end", b"\x30\x84\xff\xff\xff\xff\x02\x01\x01", MalformedTimestampRequestError),
    ("something behind", build_query(digest_of("sha256")) + b"\x00", MalformedTimestampRequestError),
    ("half of it", build_query(digest_of("sha256"))[:-9], MalformedTimestampRequestError),
    ("version 2", build_query(digest_of("sha256"), version=2), TimestampVersionError),
    ("version 0", build_query(digest_of("sha256"), version=0), TimestampVersionError),
    ("SHA-1", build_query(digest_of("sha1"), hash_oid=SHA1), ImprintAlgorithmError),
    ("MD5", build_query(digest_of("md5"), hash_oid=MD5), ImprintAlgorithmError),
    ("SHA-224", build_query(digest_of("sha224"), hash_oid=SHA224), ImprintAlgorithmError),
    ("no hash at all", build_query(digest_of("sha256"), hash_oid="2.25.7"), ImprintAlgorithmError),
    ("31 bytes", build_query(bytes(31)), MalformedTimestampRequestError),
    ("33 bytes", build_query(bytes(33)), MalformedTimestampRequestError),
    ("no bytes", build_query(b""), MalformedTimestampRequestError),
    (
        "SHA-384 with SHA-256's length",
        build_query(bytes(32), hash_oid=HASH_OIDS["sha384"]),
        MalformedTimestampRequestError,
    ),
    *(
        (
            f"an extension, critical: {critical}",
            build_query(
                digest_of("sha256"),
                extensions=[{"extn_id": "2.25.8", "critical": critical, "extn_value": b"\x05\x00"}],
            ),
            TimestampExtensionError,
        )
        for critical in (True, False)
    ),
]


@pytest.mark.parametrize(("query", "error"), [pytest.param(*row[1:], id=row[0]) for row in REFUSED])
def test_a_query_that_gets_no_token_says_why(query: bytes, error: type[TimestampError]) -> None:
    with pytest.raises(error):
        parse_request(query)


def test_a_hash_algorithm_with_parameters_is_refused() -> None:
    good = build_query(digest_of("sha256"))
    odd = good.replace(
        b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00", b"\x06\x08\x60\x86\x48\x01\x65\x03\x04\x02\x02\x01\x09"
    )
    assert odd != good
    with pytest.raises(TimestampError):
        parse_request(odd)


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_make_the_parser_raise_anything_else(query: bytes) -> None:
    with suppress(TimestampError):
        parse_request(query)


_GOOD = build_query(digest_of("sha512"), hash_oid=HASH_OIDS["sha512"], nonce=2**63, req_policy="2.25.1")


def _dotted(arcs: list[int]) -> str:
    return ".".join(map(str, [2, 25, *arcs]))


_CHANGES = st.lists(st.tuples(st.integers(0, len(_GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=4)


@settings(max_examples=1500, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(_GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=4), st.integers(0, 9)
)
def test_nor_does_a_good_query_with_some_bytes_changed(changes: list[tuple[int, int]], cut: int) -> None:
    query = bytearray(_GOOD)
    for place, value in changes:
        query[place] = value
    try:
        request = parse_request(bytes(query[: len(query) - cut]))
    except TimestampError:
        return
    assert len(request.imprint) in {32, 48, 64}


@settings(max_examples=200, deadline=None)
@given(
    name=st.sampled_from(["sha256", "sha384", "sha512"]),
    nonce=st.none() | st.integers(-(2**160), 2**512),
    policy=st.none()
    | st.lists(st.integers(0, 2**130), min_size=1, max_size=8).map(lambda arcs: f"2.25.{'.'.join(map(str, arcs))}"),
    wants_certificates=st.booleans(),
)
def test_every_good_query_is_read_as_it_was_written(
    name: str, nonce: int | None, policy: str | None, wants_certificates: bool
) -> None:
    members = {"nonce": nonce, "req_policy": policy, "cert_req": wants_certificates}
    query = build_query(
        digest_of(name), hash_oid=HASH_OIDS[name], **{k: v for k, v in members.items() if v is not None}
    )
    assert parse_request(query) == TimestampRequest(name, digest_of(name), True, policy, nonce, wants_certificates)


@pytest.mark.parametrize("name", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("nonce", [True, False])
@pytest.mark.parametrize("certificates", [True, False])
def test_openssl_asks_reads_and_verifies(
    authority: Tsa, tmp_path: Path, name: str, nonce: bool, certificates: bool
) -> None:
    (tmp_path / "message").write_bytes(MESSAGE)
    for place, der in (("tsa.pem", authority.chain[0]), ("root.pem", authority.chain[1])):
        (tmp_path / place).write_bytes(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
    wanted = [*(["-cert"] if certificates else []), *([] if nonce else ["-no_nonce"])]
    openssl("ts", "-query", "-data", tmp_path / "message", f"-{name}", *wanted, "-out", tmp_path / "query")
    request = parse_request((tmp_path / "query").read_bytes())
    reply = write_reply(authority.stamp(request))
    (tmp_path / "reply").write_bytes(reply)
    text = openssl("ts", "-reply", "-in", tmp_path / "reply", "-text")
    when = f"{YESTERDAY:%b %e %H:%M:%S}.12 {YESTERDAY:%Y} GMT"
    for line in (
        *("Status: Granted.", "Version: 1", "Policy OID: 2.25.1", f"Hash Algorithm: {name}", "Ordering: no"),
        *(f"Time stamp: {when}", "Accuracy: 0x01 seconds", "TSA: DirName:/C=FR/O=Test/CN=Test TSA"),
    ):
        assert line in text
    assert ("Nonce: unspecified" in text) is not nonce
    given_certificates = [] if certificates else ["-untrusted", tmp_path / "tsa.pem"]
    moment = ["-attime", str(int(STAMP.generated.timestamp()))]
    for what in (("-queryfile", tmp_path / "query"), ("-data", tmp_path / "message")):
        said = openssl(
            "ts",
            "-verify",
            "-in",
            tmp_path / "reply",
            *what,
            "-CAfile",
            tmp_path / "root.pem",
            *given_certificates,
            *moment,
        )
        assert "Verification: OK" in said
    openssl("asn1parse", "-inform", "DER", "-in", tmp_path / "reply")
    assert len(read_reply(reply).certificates) == (2 if certificates else 0)


def test_openssl_refuses_a_token_for_another_message(authority: Tsa, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"another")
    (tmp_path / "reply").write_bytes(write_reply(authority.stamp(TimestampRequest("sha256", digest_of("sha256")))))
    root = x509.load_der_x509_certificate(authority.chain[1]).public_bytes(Encoding.PEM)
    (tmp_path / "root.pem").write_bytes(root)
    command = ["openssl", "ts", "-verify", "-in", tmp_path / "reply", "-data", tmp_path / "other"]
    said = subprocess.run([*command, "-CAfile", tmp_path / "root.pem"], capture_output=True, text=True, check=False)
    assert said.returncode != 0
    assert "message imprint mismatch" in said.stderr


def test_a_second_library_reads_the_token_and_writes_the_same_bytes(authority: Tsa) -> None:
    """pyasn1 decodes strict DER and, encoding again, sorts and shortens: what was not DER would come out different."""
    query = build_query(digest_of("sha256"), nonce=2**90)
    reply = write_reply(authority.stamp(parse_request(query)))
    decoded, rest = decoder.decode(reply, asn1Spec=rfc3161.TimeStampResp())
    assert (rest, encoder.encode(decoded)) == (b"", reply)
    assert int(decoded["status"]["status"]) == 0
    signed, _ = decoder.decode(bytes(decoded["timeStampToken"]["content"]), asn1Spec=rfc5652.SignedData())
    assert int(signed["version"]) == 3
    info, rest = decoder.decode(bytes(signed["encapContentInfo"]["eContent"]), asn1Spec=rfc3161.TSTInfo())
    assert rest == b""
    assert encoder.encode(info) == bytes(signed["encapContentInfo"]["eContent"])
    assert str(info["genTime"]) == f"{YESTERDAY:%Y%m%d%H%M%S}.12Z"
    assert (int(info["nonce"]), int(info["serialNumber"])) == (2**90, STAMP.serial_number)
    assert not info["ordering"]
    attributes = {str(each["attrType"]): each["attrValues"][0] for each in signed["signerInfos"][0]["signedAttrs"]}
    named, _ = decoder.decode(
        bytes(attributes[str(rfc5035.id_aa_signingCertificateV2)]), asn1Spec=rfc5035.SigningCertificateV2()
    )
    assert bytes(named["certs"][0]["certHash"]) == hashlib.sha256(authority.chain[0]).digest()
    assert set(attributes) == {"1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4", SIGNING_CERTIFICATE}


@pytest.mark.parametrize(
    ("microseconds", "accuracy", "fraction", "claimed"),
    [
        (0, 1000, "Z", {"seconds": 1}),
        (120000, 1000, ".12Z", {"seconds": 1}),
        (1000, 500, ".001Z", {"millis": 500}),
        (0, 2500, "Z", {"seconds": 2, "millis": 500}),
    ],
)
def test_time_and_accuracy_are_written_without_zeros(
    authority: Tsa, microseconds: int, accuracy: int, fraction: str, claimed: dict[str, int]
) -> None:
    moment = STAMP.generated.replace(microsecond=microseconds)
    stamp = Stamp(STAMP.policy, STAMP.serial_number, moment, timedelta(milliseconds=accuracy))
    info = read_reply(write_reply(authority.stamp(TimestampRequest("sha256", digest_of("sha256")), stamp))).info
    assert info["gen_time"].contents.decode() == f"{moment:%Y%m%d%H%M%S}{fraction}"
    assert {name: value for name, value in info["accuracy"].native.items() if value is not None} == claimed


@pytest.mark.parametrize("parameters", [b"\x05\x00", b""])
def test_the_imprint_is_repeated_to_the_byte(authority: Tsa, parameters: bytes) -> None:
    algorithm = core.ObjectIdentifier(HASH_OIDS["sha256"]).dump() + parameters
    imprint = bytes([0x30, len(algorithm)]) + algorithm + core.OctetString(digest_of("sha256")).dump()
    imprint = bytes([0x30, len(imprint)]) + imprint
    query = b"\x02\x01\x01" + imprint
    request = parse_request(bytes([0x30, len(query)]) + query)
    assert request.wants_certificates is False
    info = read_reply(write_reply(authority.stamp(request))).info
    assert info["message_imprint"].dump() == imprint


def test_a_signature_that_does_not_verify_makes_no_token(authority: Tsa) -> None:
    class Wrong:
        def sign_digest(self, *, operation: Any, digest: bytes) -> bytes:
            return authority.sign_digest(operation=operation, digest=bytes(32))

    request = TimestampRequest("sha256", digest_of("sha256"))
    with pytest.raises(SigningFailedError):
        build_token(request=request, stamp=STAMP, chain=authority.chain, signer=Wrong())


def test_a_refusal_is_read_by_openssl(tmp_path: Path) -> None:
    (tmp_path / "reply").write_bytes(write_refusal(failure="unaccepted_policy", sentence="Another policy."))
    text = openssl("ts", "-reply", "-in", tmp_path / "reply", "-text")
    assert "Status: Rejected." in text
    assert "Status description: Another policy." in text
    assert "Failure info: the requested TSA policy is not supported by the TSA" in text
    assert "Not included." in text
    decoded, rest = decoder.decode((tmp_path / "reply").read_bytes(), asn1Spec=rfc3161.TimeStampResp())
    assert (rest, int(decoded["status"]["status"])) == (b"", 2)


def test_the_token_is_signed_data_over_the_info(authority: Tsa) -> None:
    token = cms.ContentInfo.load(authority.stamp(TimestampRequest("sha256", digest_of("sha256"))))
    signer = token["content"]["signer_infos"][0]
    assert signer["signature_algorithm"]["algorithm"].native == "sha256_ecdsa"
    assert isinstance(token["content"]["encap_content_info"]["content"].parsed, tsp.TSTInfo)
