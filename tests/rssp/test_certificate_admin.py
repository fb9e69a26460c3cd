"""The certificates as an operator sees them: contents, downloads, ends, the authority at a glance, renewal."""

import re
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.utils import timezone

from rssp.models import Certificate
from rssp.services import authority
from rssp.services.revocation_lists import read_revocation_list
from tests.authz.conftest import Person
from tests.rssp.conftest import Signer
from tests.rssp.test_admin import operator, page_of

__all__ = ["operator"]
LIST = "/admin/rssp/certificate/"


def look(operator: Person, address: str) -> str:
    return page_of(operator.browser.get(address))


def test_a_certificate_is_shown_in_words_and_handed_out(alice: Signer, operator: Person) -> None:
    certificate = alice.credential.certificate
    page = look(operator, f"{LIST}{certificate.pk}/change/")
    for words in (
        "CN=Alice Example",
        "<th>keyUsage (critical)</th><td>content_commitment</td>",
        "<td>not an authority</td>",
        "OCSP: http://localhost:8000/pki/ocsp",
        "<td>alice@example.org</td>",
    ):
        assert words in page
    assert not re.search(r"<script(?![^>]*\ssrc=)|\sstyle=|\son\w+=", page)
    der = operator.browser.get(f"{LIST}{certificate.pk}/DER/")
    assert (der.content, der["Content-Type"]) == (bytes(certificate.der), "application/pkix-cert")
    pem = operator.browser.get(f"{LIST}{certificate.pk}/PEM/")
    assert x509.load_pem_x509_certificate(pem.content).public_bytes(Encoding.DER) == bytes(certificate.der)
    for address in (f"{LIST}{certificate.pk}/PKCS12/", f"{LIST}999999/DER/"):
        assert operator.browser.get(address).status_code == 404


def test_what_never_came_to_be_has_nothing_to_show_or_download(alice: Signer, operator: Person) -> None:
    row = Certificate.objects.create(
        serial_number="ff", role="signer", profile="signer", subject="CN=A", not_before="2026-01-01T00:00Z",
        not_after="2026-01-02T00:00Z",
    )  # fmt: skip
    assert "CN=A" in look(operator, f"{LIST}{row.pk}/change/")
    assert operator.browser.get(f"{LIST}{row.pk}/DER/").status_code == 404


def test_strangers_see_and_download_nothing(alice: Signer, operator: Person) -> None:
    stranger = Person("Mallory").exist()
    stranger.log_in()
    for address in (f"{LIST}{alice.credential.certificate.pk}/DER/", f"{LIST}authority/"):
        assert stranger.browser.get(address).status_code == 302


def test_ends_are_counted_and_narrow_the_list(alice: Signer, bob: Signer, operator: Person) -> None:
    soon = alice.credential.certificate
    Certificate.objects.filter(pk=soon.pk).update(not_after=timezone.now() + timedelta(days=3))
    page = look(operator, LIST)
    assert "within 7 days (1)" in page
    narrowed = look(operator, f"{LIST}?ends=7")
    assert soon.serial_number in narrowed
    assert bob.credential.certificate.serial_number not in narrowed
    assert soon.serial_number not in look(operator, f"{LIST}?ends=later")
    assert soon.serial_number not in look(operator, f"{LIST}?ends=over")


def test_the_authority_is_seen_at_a_glance(alice: Signer, operator: Person) -> None:
    issuing = authority.read_authority(role="issuing")
    responder = authority.prepare_service_certificate(role="ocsp")
    published = read_revocation_list(issuer=issuing, partition=0)
    Certificate.objects.filter(role="root").update(hsm_key_id=None)
    page = look(operator, f"{LIST}authority/")
    rows = dict(re.findall(r'change/">([\w-]+)</a></th>(.*?)</tr>', page, re.DOTALL))
    assert "elsewhere" in rows["root"]
    for words in (
        "in this token",
        f"<td>{published.number}</td>",
        f"{published.next_update:%Y-%m-%d}",
        f"{responder.not_after:%Y-%m-%d}",
    ):
        assert words in rows["issuing"]
    assert not re.search(r"<script(?![^>]*\ssrc=)|\sstyle=|\son\w+=", page)
