"""What another authority's certificate must be before a credential gets it."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rssp.errors import WrongCertificateError
from rssp.pki.outside import parse_certificates, verify_outside_certificate
from tests.support.outside_authority import SIGNER, OutsideAuthority, openssl

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> OutsideAuthority:
    return OutsideAuthority(tmp_path_factory.mktemp("outside"))


def verify(outside: OutsideAuthority, der: bytes, request: bytes, **changes: Any) -> list[bytes]:
    public_key = x509.load_der_x509_csr(request).public_key()
    given: dict[str, Any] = {
        "beside": [outside.issuing],
        "anchors": [outside.root],
        "public_key": public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "common_name": "Alice Example",
        "now": datetime.now(UTC),
    }
    return verify_outside_certificate(der=der, **(given | changes))


def test_the_chain_is_built_to_the_anchor(outside: OutsideAuthority) -> None:
    request = outside.request_of_its_own("Alice Example")
    der = outside.certify(request)
    assert verify(outside, der, request) == [der, outside.issuing, outside.root]
    assert verify(outside, der, request, beside=[], anchors=[outside.root, outside.issuing])[0] == der
    digital = outside.certify(request, SIGNER.replace("nonRepudiation", "digitalSignature"))
    assert verify(outside, digital, request)[0] == digital


@pytest.mark.parametrize(
    ("extensions", "sentence"),
    [
        ("basicConstraints=critical,CA:FALSE\n", "what its key is for"),
        ("keyUsage=critical,keyEncipherment\n", "key usage"),
        ("keyUsage=critical,nonRepudiation,keyCertSign\n", "key usage"),
        ("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,nonRepudiation\n", "authority's"),
        (f"{SIGNER}1.2.3.4.5=critical,ASN1:NULL\n", "no chain"),
    ],
)
def test_a_certificate_for_something_else_is_refused(outside: OutsideAuthority, extensions: str, sentence: str) -> None:
    request = outside.request_of_its_own("Alice Example")
    with pytest.raises(WrongCertificateError, match=sentence):
        verify(outside, outside.certify(request, extensions), request)


def test_another_key_name_time_or_chain_is_refused(outside: OutsideAuthority, tmp_path: Path) -> None:
    stranger = outside.request_of_its_own("Alice Example")
    request = outside.request_of_its_own("Alice Example")
    der = outside.certify(request)
    with pytest.raises(WrongCertificateError, match="another key"):
        verify(outside, outside.certify(stranger), request)
    for name in ("Mallory", "alice example", "Alice Example "):
        with pytest.raises(WrongCertificateError, match="common name"):
            verify(outside, der, request, common_name=name)
    for moment in (NOW - timedelta(days=1), NOW + timedelta(days=11)):
        with pytest.raises(WrongCertificateError, match="not valid now"):
            verify(outside, der, request, now=moment)
    same_names = OutsideAuthority(tmp_path)
    for changes in (
        {"beside": []},
        {"anchors": []},
        {"anchors": [same_names.root]},
        {"beside": [same_names.issuing]},
    ):
        with pytest.raises(WrongCertificateError, match="no chain"):
            verify(outside, der, request, **changes)
    # A signer is no authority.
    der = outside.certify(request)
    (outside.folder / "signer.key").write_bytes((outside.folder / "stranger.key").read_bytes())
    forged = outside.certify(outside.request_of_its_own("Alice Example"), by="signer")
    forged_request = (outside.folder / "signer.csr").read_bytes()
    with pytest.raises(WrongCertificateError, match="no chain"):
        verify(outside, forged, forged_request, beside=[der, outside.issuing])


def test_files_hold_certificates_alone(outside: OutsideAuthority) -> None:
    pem = (outside.folder / "root.pem").read_bytes() + (outside.folder / "issuing.pem").read_bytes()
    assert parse_certificates(pem) == [outside.root, outside.issuing]
    assert parse_certificates(outside.root) == [outside.root]
    key = openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout")
    for bad in (b"", b"junk", os.urandom(64), pem + key, key, pem * 11, outside.root[:-1]):
        with pytest.raises(WrongCertificateError):
            parse_certificates(bad)
    with pytest.raises(WrongCertificateError, match="read"):
        verify(outside, b"0", outside.request_of_its_own("Alice Example"))
