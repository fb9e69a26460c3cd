"""The certificates as an operator sees them: contents, downloads, ends, the authority at a glance, renewal."""

import re
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.utils import timezone

from rssp.models import Certificate, RevocationScope
from rssp.services import authority
from rssp.services.outside import keep_certificate
from rssp.services.revocation_lists import read_revocation_list
from tests.authz.conftest import Person
from tests.rssp.conftest import Signer
from tests.rssp.test_admin import operator, page_of
from tests.support.outside_authority import OutsideAuthority

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


def test_of_what_is_issued_elsewhere_it_is_said_that_the_issuer_revokes_it(
    alice: Signer, operator: Person, tmp_path: Path
) -> None:
    outside = OutsideAuthority(tmp_path)
    der = outside.certify(outside.request_of_its_own("Alice Example"))
    row = keep_certificate(chain=[der, outside.issuing, outside.root], certificate_policy="signer")
    changes = RevocationScope.objects.values_list("issuer", "changes")
    before = set(changes)
    page = look(operator, f"{LIST}{row.pk}/change/")
    assert "ask the issuer to revoke it. Here it is valid," in page
    mine = look(operator, f"{LIST}{alice.credential.certificate.pk}/change/")
    assert "This service, by CRL and OCSP: valid." in mine
    assert "ask the issuer" not in mine
    root = Certificate.objects.get(role="root")
    assert "Nobody: it has no issuer" in look(operator, f"{LIST}{root.pk}/change/")
    form = {"action": "revoke", "_selected_action": [row.pk, alice.credential.certificate.pk]}
    asked = page_of(operator.browser.post(LIST, form))
    assert asked.count("nobody else hears of it; ask the issuer") == 1
    form |= {"_selected_action": [row.pk], "confirmed": "yes", "reason": "lost", "code": "key_compromise"}
    assert operator.browser.post(LIST, form).status_code == 302
    assert "ask the issuer to revoke it. Here it is revoked," in look(operator, f"{LIST}{row.pk}/change/")
    assert set(changes.all()) == before  # in no list of ours
