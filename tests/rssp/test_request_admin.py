"""The queue in the admin, over HTTP with real logins: evidence is wanted, one request at a time, and nobody's own."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from authz.models import User
from rssp.models import AuditEvent, CertificateRequest, Credential
from tests.authz.conftest import Person
from tests.rssp.conftest import Asked, Signer
from tests.rssp.test_admin import operator, page_of
from tests.rssp.test_requests import VERIFIED, ask
from tests.support.outside_authority import OutsideAuthority, openssl

__all__ = ["operator"]
SURE = {"confirmed": "Approve", "text": "Passport, seen on 24 November", **VERIFIED}


@pytest.fixture(autouse=True)
def _policies(settings: Any) -> None:
    settings.RSSP_CERTIFICATE_POLICIES = ["demonstration", "signer"]
    settings.REGISTRATION = {"demonstration": "automatic"}


@pytest.fixture
def waiting(alice: Signer) -> CertificateRequest:
    return CertificateRequest.objects.get(credential_id=ask(alice).json()["credentialID"])


def act(who: Person, action: str, *rows: CertificateRequest, **form: Any) -> Any:
    chosen = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    return who.browser.post("/admin/rssp/certificaterequest/", chosen | form, follow=True)


def colleague(name: str = "Carol") -> Person:
    person = Person(name).exist()
    User.objects.filter(email=person.email).update(is_staff=True, is_superuser=True)
    person.log_in("/admin/")
    return person


def test_an_operator_sees_the_queue_and_approves_with_evidence(
    alice: Signer, waiting: CertificateRequest, operator: Person, asked: Asked
) -> None:
    queue = page_of(operator.browser.get("/admin/rssp/certificaterequest/?state__exact=waiting"))
    assert "Alice Example" in queue
    assert "waiting for an operator (1)" in queue
    shown = page_of(operator.browser.get(f"/admin/rssp/certificaterequest/{waiting.pk}/change/"))
    assert "alice@example.org" in shown
    assert bytes(waiting.key.key_id).hex() not in shown
    page = page_of(act(operator, "approve", waiting))
    for word in ("Alice Example", "alice@example.org", "nobody", "Given name", "Surname", alice.subject):
        assert word in page
    assert waiting.state == "waiting"
    page = page_of(act(operator, "approve", waiting, **SURE))
    assert "The certificate is issued." in page
    assert asked.count == 1
    waiting.refresh_from_db()
    assert waiting.state == "issued"
    assert {row.verifier for row in waiting.attributes.exclude(source="")} == {operator.email}
    event = AuditEvent.objects.filter(action="administer").latest("sequence")
    assert (event.subject, event.credential_id) == (operator.email, waiting.credential_id)
    assert event.request_id
    assert event.reason == "certificate request approved: Passport, seen on 24 November"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"text": ""}, "Something is missing"),
        ({"surname": ""}, "Something is missing"),
        ({"given_name": "Mallory"}, "not the one that you verified"),
        ({"country": "France"}, "two capital letters"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_stays(
    waiting: CertificateRequest, operator: Person, asked: Asked, change: dict[str, str], sentence: str
) -> None:
    page = page_of(act(operator, "approve", waiting, **(SURE | change)))
    assert sentence in page
    assert (SURE | change)["surname"] in page
    waiting.refresh_from_db()
    assert (waiting.state, asked.count) == ("waiting", 0)


def test_one_request_at_a_time(alice: Signer, waiting: CertificateRequest, operator: Person) -> None:
    other = CertificateRequest.objects.get(credential_id=ask(alice).json()["credentialID"])
    for action in ("approve", "refuse", "export", "import_"):
        assert "exactly one" in page_of(act(operator, action, waiting, other, **SURE))
    assert set(CertificateRequest.objects.values_list("state", flat=True)) == {"waiting"}


def test_nobody_decides_on_their_own_request(waiting: CertificateRequest, operator: Person) -> None:
    CertificateRequest.objects.update(subject=str(User.objects.get(email=operator.email).sub))
    for action in ("approve", "refuse"):
        assert "your own request" in page_of(act(operator, action, waiting, **SURE))
    waiting.refresh_from_db()
    assert waiting.state == "waiting"


def test_two_operators_where_the_setting_wants_two(
    waiting: CertificateRequest, operator: Person, settings: Any, asked: Asked
) -> None:
    settings.FOUR_EYES = ["requests"]
    assert "A second operator must confirm it" in page_of(act(operator, "approve", waiting, **SURE))
    assert "have decided on this request already" in page_of(act(operator, "approve", waiting, **SURE))
    assert asked.count == 0
    carol = colleague()
    page = page_of(act(carol, "approve", waiting))
    assert operator.email in page
    assert "Given name" not in page
    assert "issued" in page_of(act(carol, "approve", waiting, confirmed="1", text="The same passport"))
    waiting.refresh_from_db()
    assert (waiting.state, waiting.decisions.count()) == ("issued", 2)


def test_a_refusal_wants_a_reason_and_is_final(waiting: CertificateRequest, operator: Person) -> None:
    assert "destroyed" in page_of(act(operator, "refuse", waiting))
    assert "missing" in page_of(act(operator, "refuse", waiting, confirmed="1", text=" "))
    assert "Refused" in page_of(act(operator, "refuse", waiting, confirmed="1", text="A false passport"))
    assert "another state" in page_of(act(operator, "approve", waiting, **SURE))
    waiting.refresh_from_db()
    assert (waiting.state, waiting.reason, waiting.key.state) == ("refused", "A false passport", "destroyed")


def test_a_request_goes_out_and_a_certificate_comes_in_by_the_admin(
    waiting: CertificateRequest, operator: Person, settings: Any, tmp_path: Path
) -> None:
    settings.CERTIFICATE_ISSUERS = {"signer": "by-hand"}
    outside = OutsideAuthority(tmp_path)
    settings.OUTSIDE_ANCHORS_FILE = str(tmp_path / "root.pem")
    assert "another state" in page_of(act(operator, "export", waiting))
    assert "Not issued yet: an operator exports" in page_of(act(operator, "approve", waiting, **SURE))
    export = act(operator, "export", waiting)
    assert export["Content-Type"] == "application/pkcs10"
    openssl("req", "-inform", "DER", "-verify", "-noout", stdin=export.content)
    outside.certify(export.content)
    chain = (tmp_path / "signer.pem").read_bytes() + (tmp_path / "issuing.pem").read_bytes()
    for data, sentence in ((b"junk", "holds no certificate"), (b"0" * 300_000, "too long")):
        upload = SimpleUploadedFile("chain.pem", data)
        assert sentence in page_of(act(operator, "import_", waiting, confirmed="1", certificate=upload))
    assert "there is no file" in page_of(act(operator, "import_", waiting, confirmed="1"))
    upload = SimpleUploadedFile("chain.pem", chain)
    assert "is the credential's" in page_of(act(operator, "import_", waiting, confirmed="1", certificate=upload))
    assert Credential.objects.filter(credential_id=waiting.credential_id).exists()


def test_signers_see_no_queue(waiting: CertificateRequest) -> None:
    stranger = Person("Mallory").exist()
    stranger.log_in()
    assert stranger.browser.get("/admin/rssp/certificaterequest/").status_code == 302
    act(stranger, "approve", waiting, **SURE)
    waiting.refresh_from_db()
    assert waiting.state == "waiting"


def test_with_four_eyes_an_end_waits_for_a_second_operator(
    alice: Signer, operator: Person, settings: Any, asked: Asked
) -> None:
    settings.RSSP_CERTIFICATE_POLICIES = ["demonstration", "short-lived"]
    settings.FOUR_EYES = ["lifecycle"]
    request = CertificateRequest.objects.get(credential_id=ask(alice, "short-lived").json()["credentialID"])
    act(operator, "approve", request, **SURE)
    sure = {"confirmed": "End it for good", "text": "Left the company"}
    assert "the second one confirms what the first one proposed" in page_of(act(operator, "end", request))
    assert "A second operator must confirm it." in page_of(act(operator, "end", request, **sure))
    assert "You have decided" in page_of(act(operator, "end", request, **sure))
    assert request.credential_id in page_of(operator.browser.get("/admin/rssp/certificaterequest/?proposed=yes"))
    second = colleague()
    assert "Left the company" in page_of(act(second, "withdraw", request))
    assert "It stands as before." in page_of(act(second, "withdraw", request, confirmed="Withdraw it", text="Mistake"))
    act(operator, "end", request, **sure)
    request.refresh_from_db()
    assert request.state == "standing"
    assert "No certificate is made of it any more." in page_of(act(second, "end", request, **sure))
    request.refresh_from_db()
    assert request.state == "ended"


def test_a_short_lived_one_stands_when_approved_and_is_ended_with_a_reason(
    alice: Signer, operator: Person, settings: Any, asked: Asked
) -> None:
    settings.RSSP_CERTIFICATE_POLICIES = ["demonstration", "short-lived"]
    wanted = ask(alice, "short-lived").json()["credentialID"]
    request = CertificateRequest.objects.get(credential_id=wanted)
    page = page_of(act(operator, "approve", request, **SURE))
    assert "Approved. A certificate is made for each signature." in page
    request.refresh_from_db()
    assert (request.state, asked.count) == ("standing", 0)
    assert "standing: a certificate for each signature (1)" in page_of(
        operator.browser.get("/admin/rssp/certificaterequest/?state__exact=standing")
    )
    act(operator, "end", request, confirmed="End it for good", text=" ")
    request.refresh_from_db()
    assert request.state == "standing"
    assert "No certificate is made of it any more." in page_of(act(operator, "end", request))
    page = page_of(act(operator, "end", request, confirmed="End it for good", text="Left the company"))
    assert "Ended. No certificate is made of it any more." in page
    request.refresh_from_db()
    assert (request.state, request.reason) == ("ended", "Left the company")
    assert "another state" in page_of(act(operator, "end", request, confirmed="End it for good", text="Again"))
    assert AuditEvent.objects.filter(credential_id=wanted, reason__contains="Left the company").exists()
