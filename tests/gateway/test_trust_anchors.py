"""Anchors that an operator chooses in the admin, and what they change for our own output."""

import html
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from authz.models import User
from gateway.errors import NotAnAnchorError
from gateway.models import TrustAnchor, TrustedList
from gateway.services.trust import add_anchor, list_trust
from tests.authz.conftest import Person
from tests.support.authority import Authority
from tests.support.trusted_list import Service, build_list, new_operator, sign_list

NOW = datetime.now(UTC)


def pem_of(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


def make(*, ca: bool | None = True, begin: int = -1, end: int = 1, may_sign: bool | None = True) -> bytes:
    """A self-signed certificate as PEM; ``begin`` and ``end`` in days from now."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name.from_rfc4514_string("CN=Somebody")
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW + timedelta(days=begin)).not_valid_after(NOW + timedelta(days=end))
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    if may_sign is not None:
        usage = dict.fromkeys(
            (
                *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
                *("key_agreement", "crl_sign", "encipher_only", "decipher_only"),
            ),
            False,
        )
        builder = builder.add_extension(
            x509.KeyUsage(key_cert_sign=may_sign, **usage | {"crl_sign": True}), critical=True
        )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "no PEM certificate"),
    "text": (b"trust me", "no PEM certificate"),
    "half a certificate": (make()[:200], "no PEM certificate"),
    "broken base64": (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no PEM certificate"),
    "two": (make() + make(), "must hold one certificate"),
    "a signer's": (pem_of(Authority().issue("Alice Example").certificate), "not an authority's"),
    "no constraints": (make(ca=None), "not an authority's"),
    "may not sign": (make(may_sign=False), "not an authority's"),
    "expired": (make(begin=-9, end=-1), "has expired"),
    "of the future": (make(begin=1, end=9), "not valid yet"),
    "long": (make() + b"\n" * 70_000, "longer than any certificate"),
}


@pytest.fixture
def operator() -> Person:
    person = Person("Bob").exist()
    User.objects.filter(email=person.email).update(is_staff=True, is_superuser=True)
    person.log_in("/admin/")
    return person


def upload(operator: Person, pem: bytes, note: str = "") -> Any:
    form = {"pem": SimpleUploadedFile("ca.pem", pem or b" "), "note": note}
    return operator.browser.post("/admin/gateway/trustanchor/add/", form)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_an_anchor_is_refused_by_name(operator: Person, name: str) -> None:
    pem, sentence = REFUSED[name]
    with pytest.raises(NotAnAnchorError, match=sentence):
        add_anchor(pem=pem, note="", operator="Demo Operator")
    answer = upload(operator, pem)
    assert sentence in html.unescape(answer.content.decode())
    assert not TrustAnchor.objects.exists()


def test_an_operator_adds_disables_and_enables_an_anchor(operator: Person) -> None:
    der = Authority(name="Other Root").certificate
    assert upload(operator, pem_of(der), "For Bob's bank").status_code == 302
    anchor = TrustAnchor.objects.get()
    email = operator.email
    assert (anchor.name, anchor.added_by, anchor.note, anchor.enabled) == (
        "CN=Other Root",
        email,
        "For Bob's bank",
        True,
    )
    assert list_trust(chain=[b"root"]).anchors == (b"root", der)
    address = f"/admin/gateway/trustanchor/{anchor.pk}/change/"
    page = operator.browser.get(address).content.decode()
    fingerprint = x509.load_der_x509_certificate(der).fingerprint(hashes.SHA256()).hex(":").upper()
    assert fingerprint in page
    again = upload(operator, pem_of(der))
    assert "among the anchors already" in html.unescape(again.content.decode())
    operator.browser.post(address, {"note": "Left the bank"})
    anchor.refresh_from_db()
    assert (anchor.enabled, anchor.note, anchor.changed_by) == (False, "Left the bank", email)
    assert list_trust(chain=[b"root"]).anchors == (b"root",)
    operator.browser.post("/admin/gateway/trustanchor/", {"action": "enable", "_selected_action": [anchor.pk]})
    assert list_trust(chain=[b"root"]).anchors == (b"root", der)
    assert LogEntry.objects.filter(user__email=email).count() == 3


def test_an_anchor_is_never_removed_and_nobody_else_sees_it(operator: Person) -> None:
    upload(operator, make())
    anchor = TrustAnchor.objects.get()
    assert operator.browser.post(f"/admin/gateway/trustanchor/{anchor.pk}/delete/", {"post": "yes"}).status_code == 403
    stranger = Person("Mallory").exist()
    stranger.log_in()
    for browser in (Client(), stranger.browser):
        for page in ("", "add/", f"{anchor.pk}/change/"):
            assert browser.get(f"/admin/gateway/trustanchor/{page}").status_code == 302
        assert (
            browser.post("/admin/gateway/trustanchor/add/", {"pem": SimpleUploadedFile("a", make())}).status_code == 302
        )
    assert TrustAnchor.objects.count() == 1


def test_a_list_is_imported_by_upload_if_a_configured_operator_signed_it(
    operator: Person, settings: Any, tmp_path: Path
) -> None:
    scheme, der = new_operator(), Authority(name="Listed").certificate
    (tmp_path / "signers.pem").write_bytes(pem_of(scheme.certificate))
    xml = sign_list(build_list([Service(der)]), scheme)

    def send(content: bytes) -> str:
        form = {"file": SimpleUploadedFile("xt.xml", content), "url": ""}
        return operator.browser.post("/admin/gateway/trustedlist/add/", form, follow=True).content.decode()

    assert "Nothing was imported" in send(xml)  # nobody is configured
    settings.TRUSTED_LIST_SIGNERS_FILE = str(tmp_path / "signers.pem")
    assert "Nothing was imported" in send(xml.replace(b">1<", b">2<"))
    assert "Give a file or an address" in operator.browser.post("/admin/gateway/trustedlist/add/", {}).content.decode()
    private = operator.browser.post("/admin/gateway/trustedlist/add/", {"url": "https://127.0.0.1/"}).content.decode()
    assert "not public" in private
    assert not TrustedList.objects.exists()
    assert "Nothing was imported" not in send(xml)
    imported = TrustedList.objects.get()
    assert (imported.source, imported.imported_by) == ("xt.xml", operator.email)
    assert [bytes(anchor.der) for anchor in imported.anchors.all()] == [der]
    assert (
        operator.browser.post(f"/admin/gateway/trustedlist/{imported.pk}/delete/", {"post": "yes"}).status_code == 403
    )


def test_a_file_of_anchors_stands_in_for_the_signing_service_s_own_root(settings: Any, tmp_path: Path) -> None:
    pinned, chosen = Authority(name="Pinned").certificate, Authority(name="Chosen").certificate
    (tmp_path / "anchors.pem").write_bytes(pem_of(pinned))
    settings.TRUST_ANCHORS_FILE = str(tmp_path / "anchors.pem")
    add_anchor(pem=pem_of(chosen), note="", operator="Demo Operator")
    assert list_trust(chain=[b"signer", b"root"]).anchors == (pinned, chosen)
    TrustAnchor.objects.update(not_after=NOW - timedelta(seconds=1))
    assert list_trust(chain=[b"signer", b"root"]).anchors == (pinned,)
