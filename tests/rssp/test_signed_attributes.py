"""Signing CMS attributes for an approved document: a real CMS that OpenSSL verifies, and what is refused."""

import hashlib
import subprocess
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import algos, cms, core, x509

from rssp.clients import introspection
from rssp.errors import DigestNotAuthorizedError, DigestSpentError, RsspError, SignedAttributesError
from rssp.models import ActivatedDigest, Certificate
from rssp.services.auditing import Origin
from rssp.services.signing_attributes import sign_signed_attributes
from rssp.signed_attributes import read_message_digest
from rssp.wire import parse_sign_hash_request
from tests.rssp.conftest import ECDSA_SHA256, Asked, Signer
from tests.rssp.test_texts import encode

DOCUMENT = b"The flat is let from the first of December.\n"
DIGEST = hashlib.sha256(DOCUMENT).digest()
ORIGIN = Origin(request_id="r", address="127.0.0.1")


def attribute(name: str, *values: Any) -> dict[str, Any]:
    return {"type": name, "values": list(values)}


def build(*attributes: Any) -> bytes:
    return bytes(cms.CMSAttributes([cms.CMSAttribute(each) for each in attributes]).dump())


CONTENT_TYPE = attribute("content_type", "data")
MESSAGE_DIGEST = attribute("message_digest", DIGEST)
GOOD = build(CONTENT_TYPE, MESSAGE_DIGEST)


def ask(signer: Signer, token: str, *attributes: bytes, hashes: tuple[bytes, ...] = (DIGEST,)) -> list[bytes]:
    body = {"credentialID": signer.credential.credential_id, "hashes": [encode(each) for each in hashes]}
    request = parse_sign_hash_request(body | {"signAlgo": ECDSA_SHA256}, 2, needs_sad=False)
    bearer = introspection.verify_token(token)
    return sign_signed_attributes(bearer=bearer, request=request, attributes=attributes, origin=ORIGIN)


def test_openssl_verifies_a_cms_over_attributes_that_were_signed_here(
    alice: Signer, asked: Asked, tmp_path: Path
) -> None:
    (value,) = ask(alice, alice.approve(DIGEST, hash_type="sdr"), GOOD)
    chain = [x509.Certificate.load(bytes(each.der)) for each in Certificate.objects.exclude(role="root")]
    own = x509.Certificate.load(bytes(alice.credential.certificate.der))
    signed = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [algos.DigestAlgorithm({"algorithm": "sha256"})],
            "encap_content_info": {"content_type": "data"},
            "certificates": chain,
            "signer_infos": [
                {
                    "version": "v1",
                    "sid": cms.IssuerAndSerialNumber({"issuer": own.issuer, "serial_number": own.serial_number}),
                    "digest_algorithm": {"algorithm": "sha256"},
                    "signed_attrs": cms.CMSAttributes.load(GOOD),
                    "signature_algorithm": {"algorithm": "sha256_ecdsa"},
                    "signature": value,
                }
            ],
        }
    )
    (tmp_path / "cms.der").write_bytes(cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump())
    (tmp_path / "lease.txt").write_bytes(DOCUMENT)
    root = x509.Certificate.load(bytes(Certificate.objects.get(role="root").der))
    (tmp_path / "root.der").write_bytes(root.dump())
    subprocess.run(
        ["openssl", "x509", "-inform", "DER", "-in", "root.der", "-out", "root.pem"], cwd=tmp_path, check=True
    )
    command = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "cms.der", "-content", "lease.txt"]
    command += ["-CAfile", "root.pem", "-purpose", "any", "-out", "out"]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert "successful" in done.stderr, done.stderr
    assert asked.count == 1
    row = ActivatedDigest.objects.get()
    assert (row.state, row.digest, row.intent.digest) == ("signed", DIGEST.hex(), DIGEST.hex())


def test_a_document_digest_is_spent_by_it(alice: Signer, asked: Asked) -> None:
    token = alice.approve(DIGEST, hash_type="sdr")
    ask(alice, token, GOOD)
    with pytest.raises(DigestSpentError):
        ask(alice, token, GOOD)
    assert asked.count == 1


def test_what_was_approved_as_something_else_signs_no_attributes(alice: Signer, asked: Asked) -> None:
    with pytest.raises(DigestNotAuthorizedError):
        ask(alice, alice.approve(DIGEST), GOOD)
    other = hashlib.sha256(b"other").digest()
    with pytest.raises(DigestNotAuthorizedError):
        ask(alice, alice.approve(other, hash_type="sdr"), GOOD)
    token = alice.approve(DIGEST, hash_type="sdr")
    assert alice.sign(token, hashlib.sha256(GOOD).digest()).status_code == 400  # signHash signs no hash of them either
    assert asked.count == 0


BAD: dict[str, bytes] = {
    "another document": build(CONTENT_TYPE, attribute("message_digest", hashlib.sha256(b"other").digest())),
    "no message digest": build(CONTENT_TYPE),
    "no content type": build(MESSAGE_DIGEST),
    "another content type": build(attribute("content_type", "signed_data"), MESSAGE_DIGEST),
    "an attribute twice": build(CONTENT_TYPE, MESSAGE_DIGEST, attribute("message_digest", bytes(32))),
    "two values": build(CONTENT_TYPE, attribute("message_digest", DIGEST, bytes(32))),
    "no value": build(CONTENT_TYPE, attribute("message_digest")),
    "nothing": b"",
    "an empty set": b"\x31\x00",
    "a sequence": b"\x30" + GOOD[1:],
    "the tag of the CMS": b"\xa0" + GOOD[1:],
    "something behind": GOOD + b"\x00",
    "cut off": GOOD[:-1],
    "a long length": b"\x31\x81" + GOOD[1:],
    "no length": b"\x31\x80" + GOOD[2:] + b"\x00\x00",
    "out of order": b"\x31" + GOOD[1:2] + GOOD[28:] + GOOD[2:28],
    "too long": build(CONTENT_TYPE, MESSAGE_DIGEST, attribute("1.2.3", core.OctetString(bytes(70_000)))),
    "too deep": b"\x31\x82\x01\x00" + b"\x30\x81\x80" * 40,
}


@pytest.mark.parametrize("attributes", BAD.values(), ids=BAD.keys())
def test_other_attributes_are_refused_before_a_digest_is_taken(alice: Signer, asked: Asked, attributes: bytes) -> None:
    token = alice.approve(DIGEST, hash_type="sdr")
    with pytest.raises(SignedAttributesError):
        ask(alice, token, attributes)
    assert asked.count == 0
    assert ActivatedDigest.objects.get().state == "authorised"
    ask(alice, token, GOOD)


def test_each_document_has_its_attributes(alice: Signer, asked: Asked) -> None:
    token = alice.approve(DIGEST, DIGEST, hash_type="sdr")
    for attributes in ([GOOD], [GOOD, GOOD, GOOD], []):
        with pytest.raises(RsspError):
            ask(alice, token, *attributes, hashes=(DIGEST, DIGEST))
    assert asked.count == 0
    assert len(ask(alice, token, GOOD, GOOD, hashes=(DIGEST, DIGEST))) == 2
    assert read_message_digest(GOOD) == DIGEST
