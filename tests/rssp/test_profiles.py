"""Each profile's certificate from a real authority, read by OpenSSL and two ASN.1 libraries."""

import secrets
import subprocess
from dataclasses import replace
from datetime import timedelta

import pytest
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.utils import timezone
from pyasn1.codec.der.decoder import decode
from pyasn1.codec.der.encoder import encode
from pyasn1_alt_modules import rfc5280

from rssp.errors import (
    AuthorityMissingError,
    CertificateKeyError,
    CertificatePolicyError,
    CertificateSubjectError,
    KeyNotFoundError,
)
from rssp.models import Certificate
from rssp.pki import profiles
from rssp.pki.extensions import NO_REV_AVAIL, QC_STATEMENTS, VALIDITY_ASSURED
from rssp.pki.subjects import LegalPerson, NaturalPerson, UnverifiedPerson, build_subject
from rssp.services import authority
from rssp.services.hsm import get_hsm
from rssp.services.revoking import revoke_certificate
from tests.rssp.conftest import have_authority

ALICE = NaturalPerson(
    common_name="Alice Example", country="FR", given_name="Alice", surname="Example", identifier="PNOFR-1234"
)
PSEUDONYM = NaturalPerson(common_name="Night Owl", country="FR", pseudonym="Night Owl", identifier="7f3a")
COMPANY = LegalPerson(
    common_name="Example Seal", country="FR", organisation="Example SARL", identifier="VATFR-12345678901"
)
SUBJECTS = {
    "demonstration": UnverifiedPerson(common_name="Alice Example"),
    "demonstration-email": UnverifiedPerson(common_name="Alice Example", email="alice@example.org"),
    "signer": ALICE,
    "short-lived": PSEUDONYM,
    "short-lived-unpublished": PSEUDONYM,
    "seal": COMPANY,
}
EVERY_PROFILE = {
    **profiles.OWN_PROFILES,
    **profiles.SUBSCRIBER_PROFILES,
    "demonstration-email": profiles.DEMONSTRATION_EMAIL,
}
URL = "http://localhost:8000/pki"


@pytest.fixture(autouse=True)
def _all_policies_are_offered(settings, token):
    settings.RSSP_CERTIFICATE_POLICIES = list(profiles.SUBSCRIBER_PROFILES)
    have_authority()


def new_key(key_algorithm="ec-p256"):
    return get_hsm().generate_key(key_id=secrets.token_bytes(16), label="test", key_algorithm=key_algorithm)


def make(name):
    if name in profiles.OWN_PROFILES:
        if name in {"tsa", "ocsp"}:
            return authority.prepare_service_certificate(role=name)
        return authority.read_authority(role=name)
    return issue(name)


def issue(name):
    """A subscriber's certificate of a profile; which demonstration it is depends on the subject."""
    policy = name.removesuffix("-email")
    return authority.issue_certificate(certificate_policy=policy, subject=SUBJECTS[name], public_key=new_key())


def parse(certificate):
    return x509.load_der_x509_certificate(bytes(certificate.der))


def openssl(*arguments):
    finished = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr + finished.stdout
    return finished.stdout


def text_of(certificate, tmp_path):
    path = tmp_path / "certificate.der"
    path.write_bytes(bytes(certificate.der))
    return openssl("x509", "-inform", "DER", "-in", str(path), "-noout", "-text", "-nameopt", "oneline,utf8")


# What OpenSSL prints, and what it must not: the whole of what a profile promises.
CRL, OCSP, CA = f"URI:{URL}/issuing.crl", f"OCSP - URI:{URL}/ocsp", f"CA Issuers - URI:{URL}/issuing.cer"
ISSUER = "Issuer: C = FR, O = Paraph (demonstration), organizationIdentifier = PA:FR-DEMONSTRATION, CN = Paraph "
DOCUMENTS = "Key Usage: critical\n                Non Repudiation\n"
SIGNATURES = "Key Usage: critical\n                Digital Signature\n"
EXPECTED = {
    "root": ([ISSUER, "Certificate Sign, CRL Sign", "CA:TRUE\n"], ["URI:", "Policy:", "pathlen"]),
    "issuing": (
        [f"URI:{URL}/root.crl", f"CA Issuers - URI:{URL}/root.cer", "CA:TRUE, pathlen:0", "X509v3 Any Policy"],
        ["OCSP"],
    ),
    "tsa": (
        [SIGNATURES, "Extended Key Usage: critical\n                Time Stamping\n", CRL, OCSP, CA, "CA:FALSE"],
        ["OCSP Signing", "No Check"],
    ),
    "ocsp": (
        [SIGNATURES, "Extended Key Usage: critical\n                OCSP Signing\n", "OCSP No Check", CA],
        [CRL, OCSP],
    ),
    "demonstration": (
        [
            *(DOCUMENTS, "Subject: CN = Alice Example\n", CRL, OCSP, CA),
            *(f"Policy: {profiles.DEMONSTRATION_POLICY}\n", "Nobody verified the name in this certificate."),
        ],
        ["No Check", "alice@example.org", "Subject Alternative Name", "address"],
    ),
    "demonstration-email": (
        [
            *(DOCUMENTS, "Subject: CN = Alice Example\n", CRL, OCSP, CA, "email:alice@example.org"),
            *(f"Policy: {profiles.DEMONSTRATION_EMAIL_POLICY}\n", "verified by a link", "nobody verified the name"),
        ],
        ["No Check", f"Policy: {profiles.DEMONSTRATION_POLICY}\n"],
    ),
    "signer": (
        [
            "Subject: C = FR, GN = Alice, SN = Example, CN = Alice Example, serialNumber = PNOFR-1234\n",
            *(ISSUER, DOCUMENTS, CRL, OCSP, CA, f"Policy: {profiles.SIGNER_POLICY}"),
        ],
        ["Extended Key Usage", "1.3.6.1.5.5.7.1.3", "email"],
    ),
    "short-lived": (
        ["pseudonym = Night Owl", "serialNumber = 7f3a", DOCUMENTS, CRL, OCSP, CA, "0.4.0.194121.2.1"],
        ["2.5.29.56", "GN =", "SN ="],
    ),
    "short-lived-unpublished": (
        ["pseudonym = Night Owl", "serialNumber = 7f3a", DOCUMENTS, CA, "0.4.0.194121.2.1"],
        [CRL, OCSP, "GN =", "SN ="],
    ),
    "seal": (
        [
            "Subject: C = FR, O = Example SARL, organizationIdentifier = VATFR-12345678901, CN = Example Seal\n",
            *(DOCUMENTS, CRL, OCSP, CA, f"Policy: {profiles.SEAL_POLICY}"),
        ],
        ["serialNumber"],
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_openssl_reads_what_the_profile_promises(name, tmp_path):
    text = text_of(make(name), tmp_path)
    present, absent = EXPECTED[name]
    assert [words for words in present if words not in text] == []
    assert [words for words in absent if words in text] == []
    assert "qcStatements" not in text


@pytest.mark.parametrize("name", EXPECTED)
def test_two_asn1_libraries_write_back_the_same_certificate(name):
    """DER has one form: what a parser reads and writes again is the same octets, or was none."""
    der = bytes(make(name).der)
    assert asn1_x509.Certificate.load(der, strict=True).dump(force=True) == der
    value, rest = decode(der, asn1Spec=rfc5280.Certificate())
    assert (rest, encode(value)) == (b"", der)
    for arguments in (["asn1parse"], ["x509", "-noout"]):
        path = ["-inform", "DER", "-in", "/dev/stdin"]
        finished = subprocess.run(["openssl", *arguments, *path], input=der, capture_output=True, check=False)
        assert (finished.returncode, finished.stderr) == (0, b"")


@pytest.mark.parametrize("name", [name for name in EXPECTED if name != "root"])
def test_every_chain_verifies_with_openssl(name, tmp_path):
    certificate = make(name)
    paths = []
    for number, der in enumerate(authority.read_chain(certificate)):
        paths.append(tmp_path / f"{number}.pem")
        paths[-1].write_bytes(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
    leaf, *between, root = map(str, paths)
    purpose = {"tsa": ["-purpose", "timestampsign"], "ocsp": ["-purpose", "ocsphelper"]}.get(name, [])
    untrusted = [word for path in between for word in ("-untrusted", path)]
    assert "OK" in openssl("verify", "-x509_strict", *purpose, "-CAfile", root, *untrusted, leaf)


def test_validities_and_serial_numbers():
    numbers = set()
    for name in EXPECTED:
        profile = EVERY_PROFILE[name]
        certificate = make(name)
        assert certificate.profile == name
        assert certificate.not_after - certificate.not_before <= profile.validity
        numbers.add(int(certificate.serial_number, 16))
    assert make("short-lived").not_after - timezone.now() < timedelta(hours=24)
    assert all(0 < number < 2**159 for number in numbers)
    assert max(number.bit_length() for number in numbers) > 150


@pytest.mark.parametrize(
    ("name", "marks"),
    [("short-lived", {VALIDITY_ASSURED}), ("short-lived-unpublished", {VALIDITY_ASSURED, NO_REV_AVAIL})],
)
def test_a_short_lived_certificate_says_that_its_validity_is_assured(name, marks):
    """noRevAvail stands beside no address (RFC 9608, 4), and an address beside no noRevAvail."""
    found = {extension.oid: extension for extension in parse(make(name)).extensions}
    assert {oid for oid in (NO_REV_AVAIL, VALIDITY_ASSURED) if oid in found} == marks
    for oid in marks:
        assert (found[oid].critical, found[oid].value.value) == (False, b"\x05\x00")


def test_a_time_stamping_key_rests_before_its_certificate_ends():
    certificate = parse(make("tsa"))
    period = certificate.extensions.get_extension_for_class(x509.PrivateKeyUsagePeriod).value
    assert certificate.not_valid_after_utc.replace(tzinfo=None) - period.not_after.replace(tzinfo=None) == timedelta(
        days=730
    )


def test_semantics_are_stated_by_a_profile_that_asks_for_it_alone(monkeypatch):
    stating = replace(profiles.SEAL, states_semantics=True)
    monkeypatch.setitem(profiles.SUBSCRIBER_PROFILES, "seal", stating)
    extension = parse(make("seal")).extensions.get_extension_for_oid(QC_STATEMENTS)
    # id-qcs-pkixQCSyntax-v2 with id-etsi-qcs-SemanticsId-Legal, and nothing beside it
    value, rest = decode(extension.value.value)
    assert rest == b""
    assert [str(statement[0]) for statement in value] == ["1.3.6.1.5.5.7.11.2"]
    assert str(value[0][1][0]) == "0.4.0.194121.1.2"


# --- Generations -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["tsa", "ocsp"])
def test_a_service_certificate_is_made_once_and_renewed_before_its_end(role, monkeypatch):
    first = authority.prepare_service_certificate(role=role)
    assert authority.prepare_service_certificate(role=role) == first == authority.read_authority(role=role)
    profile, now = profiles.OWN_PROFILES[role], timezone.now()
    monkeypatch.setattr(authority.timezone, "now", lambda: now + profile.validity - profile.renewed)
    second = authority.prepare_service_certificate(role=role)
    assert (second.generation, second.published_name) == (2, f"{role}-2")
    assert parse(second).subject.rfc4514_string().startswith(f"CN=Paraph Demonstration {role.upper()} 2,")
    assert authority.list_authority(role=role) == [second, first]
    assert authority.read_authority(role=role) == second
    with authority.open_authority_key(first) as key:
        signature = key.sign(b"agreed", ec.ECDSA(key.hash_algorithm))
    parse(first).public_key().verify(signature, b"agreed", ec.ECDSA(key.hash_algorithm))


def test_a_revoked_or_ended_certificate_of_the_service_is_replaced(monkeypatch):
    first = authority.prepare_service_certificate(role="ocsp")
    revoke_certificate(certificate=first, reason="key_compromise")
    with pytest.raises(AuthorityMissingError):
        authority.read_authority(role="ocsp")
    assert authority.prepare_service_certificate(role="ocsp").generation == 2


def test_a_key_that_is_elsewhere_is_not_opened():
    root = authority.read_authority(role="root")
    root.hsm_key_id = None
    with pytest.raises(KeyNotFoundError), authority.open_authority_key(root):
        pytest.fail("there is no key")


def test_the_services_certificates_are_published_by_name(client):
    certificate = authority.prepare_service_certificate(role="tsa")
    assert client.get("/pki/tsa.cer").content == bytes(certificate.der)
    for name in ("tsa-2", "tsa-1", "tsa-0", "signer", "seal", "issuing-", "issuing-x", "nobody"):
        assert client.get(f"/pki/{name}.cer").status_code == 404


# --- Refusals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"country": "fr"},
        {"country": "FRA"},
        {"country": ""},
        {"given_name": "", "surname": ""},
        {"pseudonym": "Owl"},
        {"given_name": "a" * 65},
        {"surname": "a\x00b"},
        {"common_name": "\u202egro.elpmaxe"},
        {"common_name": "a\u2066b"},
        {"common_name": ""},
        {"identifier": ""},
        {"identifier": "PNOfr-1234"},
        {"identifier": "ABCFR-1234"},
        {"identifier": "PNOFR-" + "1" * 60},
        {"identifier": "Ünique"},
        {"identifier": "12\n34"},
        {"identifier": " 1234"},
        {"email": "@"},
    ],
)
def test_a_person_who_fits_no_certificate_is_refused_before_anything_is_signed(changes, asked):
    with pytest.raises(CertificateSubjectError) as caught:
        authority.issue_certificate(
            certificate_policy="signer", subject=replace(ALICE, **changes), public_key=new_key()
        )
    assert not any(value and value in str(caught.value) for value in changes.values() if len(value) > 3)
    assert asked.count == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"identifier": "12345678901"},
        {"identifier": "VAT-12345678901"},
        {"identifier": "VATfr-12345678901"},
        {"identifier": "PNOFR-1234"},
        {"identifier": ""},
        {"organisation": ""},
        {"organisation": "VATFR-12345678901"},
        {"organisation": "a" * 65},
        {"country": "F"},
        {"common_name": "a\nb"},
    ],
)
def test_an_organisation_that_fits_no_certificate_is_refused(changes, asked):
    with pytest.raises(CertificateSubjectError):
        authority.issue_certificate(
            certificate_policy="seal", subject=replace(COMPANY, **changes), public_key=new_key()
        )
    assert asked.count == 0


def test_a_policy_wants_its_own_kind_of_subject_and_must_be_offered(settings):
    for name, subject in (("signer", COMPANY), ("seal", ALICE), ("demonstration", ALICE), ("short-lived", COMPANY)):
        with pytest.raises(CertificateSubjectError):
            authority.verify_issuable(certificate_policy=name, subject=subject)
    with pytest.raises(CertificateSubjectError):
        authority.verify_issuable(certificate_policy="signer", subject=SUBJECTS["demonstration"])
    settings.RSSP_CERTIFICATE_POLICIES = ["demonstration", "root"]
    for name in ("signer", "seal", "root", "tsa", "Demonstration", ""):
        with pytest.raises(CertificatePolicyError):
            authority.verify_issuable(certificate_policy=name, subject=ALICE)


def _spki(key):
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    "public_key",
    [
        lambda: _spki(rsa.generate_private_key(65537, 1024)),  # noqa: S505
        lambda: _spki(rsa.generate_private_key(3, 2048)),
        lambda: _spki(rsa.generate_private_key(65537, 2050)),
        lambda: _spki(ec.generate_private_key(ec.SECP521R1())),
        lambda: _spki(ec.generate_private_key(ec.SECP256K1())),
        lambda: _spki(ed25519.Ed25519PrivateKey.generate()),
        lambda: _spki(dsa.generate_private_key(2048)),
        lambda: _spki(ec.generate_private_key(ec.SECP256R1())) + b"\x00",
        lambda: b"",
        lambda: b"\x30\x80\x00\x00",
    ],
)
def test_a_key_of_another_kind_is_refused(public_key, asked):
    with pytest.raises(CertificateKeyError):
        authority.issue_certificate(certificate_policy="signer", subject=ALICE, public_key=public_key())
    assert asked.count == 0
    assert not Certificate.objects.filter(role="signer").exists()


def test_one_key_is_in_one_certificate(asked):
    key = new_key()
    authority.issue_certificate(certificate_policy="signer", subject=ALICE, public_key=key)
    before = asked.count
    with pytest.raises(CertificateKeyError):
        authority.issue_certificate(certificate_policy="seal", subject=COMPANY, public_key=key)
    issuing = parse(authority.read_authority(role="issuing")).public_key()
    with pytest.raises(CertificateKeyError):
        authority.issue_certificate(
            certificate_policy="signer",
            subject=ALICE,
            public_key=issuing.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        )
    assert asked.count == before


def test_names_stand_in_the_order_and_types_of_the_standard():
    name = build_subject(replace(ALICE, given_name="Алиса", common_name="Алиса Example"))
    assert [attribute.oid for attribute in name] == [
        *(NameOID.COUNTRY_NAME, NameOID.GIVEN_NAME, NameOID.SURNAME, NameOID.COMMON_NAME, NameOID.SERIAL_NUMBER)
    ]
    decoded = asn1_x509.Name.load(name.public_bytes())
    kinds = {pair["type"].native: pair["value"].chosen.__class__.__name__ for rdn in decoded.chosen for pair in rdn}
    assert kinds["country_name"] == kinds["serial_number"] == "PrintableString"
    assert kinds["given_name"] == "UTF8String"


def test_no_profile_claims_what_an_audited_authority_may_claim():
    for profile in EVERY_PROFILE.values():
        assert not profile.states_semantics
        assert profile.policy is None or profile.policy.startswith(("1.3.6.1.4.1.32473.", "2.5.29.32.0"))
    assert profiles.TSA.extended_key_usage == ExtendedKeyUsageOID.TIME_STAMPING.dotted_string
