"""What operators see and may do, over HTTP with a real login, and that each act is audited. No address of it signs."""

import html
import re
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client

from authz.models import User
from rssp.models import (
    ActivatedDigest,
    Activation,
    AuditEvent,
    AuthenticationObject,
    Certificate,
    CertificateRequest,
    Credential,
    IdentityProof,
    KeyEncryptionKey,
    PasskeyBinding,
    RequestAttribute,
    RequestDecision,
    SealGrant,
    SigningKey,
    StandingEnd,
    Timestamp,
)
from tests.authz.conftest import Person
from tests.rssp.conftest import Asked, Signer, digest

LEASE = digest("Lease")
MODELS = [ActivatedDigest, Activation, AuditEvent, Certificate, Credential, SigningKey, KeyEncryptionKey]


@pytest.fixture
def operator() -> Person:
    person = Person("Bob").exist()
    User.objects.filter(email=person.email).update(is_staff=True, is_superuser=True)
    person.log_in("/admin/")
    return person


def act(operator: Person, action: str, *rows: Any, **form: Any) -> Any:
    """What the list's form sends, or with ``confirmed`` the page that asks once more."""
    name = type(rows[0])._meta.model_name
    chosen = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    return operator.browser.post(f"/admin/rssp/{name}/", chosen | form)


def page_of(response: Any) -> str:
    assert response.status_code == 200, response.content
    return html.unescape(response.content.decode())


def test_an_operator_looks_at_everything_and_signers_at_nothing(alice: Signer, operator: Person) -> None:
    alice.sign(alice.approve(LEASE), LEASE)
    stranger = Person("Mallory").exist()
    stranger.log_in()
    for model in MODELS:
        row = model._default_manager.first()
        assert row is not None
        for address in (
            f"/admin/rssp/{model._meta.model_name}/",
            f"/admin/rssp/{model._meta.model_name}/{row.pk}/change/",
        ):
            page = page_of(operator.browser.get(address))
            assert bytes(alice.credential.key.key_id).hex() not in page
            for nobody in (stranger.browser, Client()):
                assert nobody.get(address).status_code == 302


def test_nothing_is_added_changed_or_removed_by_a_form(alice: Signer, operator: Person) -> None:
    alice.sign(alice.approve(LEASE), LEASE)
    before = [list(model._default_manager.order_by("pk").values()) for model in MODELS]
    for model in MODELS:
        row = model._default_manager.first()
        assert row is not None
        address = f"/admin/rssp/{model._meta.model_name}"
        assert operator.browser.post(f"{address}/add/", {}).status_code == 403
        assert operator.browser.post(f"{address}/{row.pk}/change/", {"state": "authorised"}).status_code == 403
        assert operator.browser.post(f"{address}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
        form = {"_selected_action": [str(row.pk)], "post": "yes", "confirmed": "1", "reason": "because"}
        operator.browser.post(f"{address}/", form | {"action": "delete_selected"})
        operator.browser.post(f"{address}/", {"_save": "Save", "form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1"})
    assert [list(model._default_manager.order_by("pk").values()) for model in MODELS] == before


def test_actions_are_those_that_are_named_and_none_signs() -> None:
    registered = {model: made for model, made in admin.site._registry.items() if model._meta.app_label == "rssp"}
    assert set(registered) == {*MODELS, CertificateRequest, SealGrant, Timestamp}
    assert {model: tuple(made.actions or ()) for model, made in registered.items() if made.actions} == {
        Credential: (
            *("disable", "enable", "make_explicit", "set_pin", "unlock"),
            *("renew", "rekey", "end", "withdraw"),
            *("mark_as_seal", "unmark_as_seal"),
        ),
        SealGrant: ("take_back", "give_again"),
        Certificate: ("revoke", "suspend", "resume"),
        CertificateRequest: ("approve", "refuse", "end", "withdraw", "issue", "export", "import_"),
    }
    assert {inline.model for made in registered.values() for inline in made.inlines} == {
        AuthenticationObject,
        IdentityProof,
        PasskeyBinding,
        RequestAttribute,
        RequestDecision,
        StandingEnd,
    }


@pytest.mark.parametrize("without", [{}, {"confirmed": "1"}, {"confirmed": "1", "reason": "  "}, {"reason": "no"}])
def test_an_act_is_asked_for_once_more_and_wants_a_reason(
    alice: Signer, operator: Person, without: dict[str, str]
) -> None:
    events = AuditEvent.objects.count()
    page = page_of(act(operator, "disable", alice.credential, **without))
    assert alice.credential.credential_id in page
    assert alice.subject in page
    assert "sign nothing until they are enabled again" in page
    assert ("Say why" in page) is ("confirmed" in without)
    assert not re.search(r"<script(?![^>]* src=)|<style|style=| on[a-z]+=", page)
    page = page_of(act(operator, "revoke", alice.credential.certificate, **without))
    assert alice.credential.certificate.serial_number in page
    assert "for ever" in page
    alice.credential.refresh_from_db()
    assert (alice.credential.status, alice.credential.certificate.status) == ("enabled", "valid")
    assert AuditEvent.objects.count() == events


def test_a_closed_credential_signs_nothing_until_it_is_opened_again(
    alice: Signer, operator: Person, asked: Asked
) -> None:
    token = alice.approve(LEASE)
    sure = {"confirmed": "1", "reason": "Alice lost her phone"}
    for _ in range(2):  # a second time changes and records nothing
        assert act(operator, "disable", alice.credential, **sure).status_code == 302
    answer = alice.sign(token, LEASE)
    assert answer.json()["error_description"] == "The credential identified by credentialID is disabled"
    assert asked.count == 0
    act(operator, "enable", alice.credential, **sure | {"reason": "Found again"})
    assert alice.sign(token, LEASE).status_code == 200
    acts = AuditEvent.objects.filter(action="administer").order_by("sequence")
    assert list(acts.values_list("subject", "credential_id", "reason")) == [
        (operator.email, alice.credential.credential_id, "status set to disabled: Alice lost her phone"),
        (operator.email, alice.credential.credential_id, "status set to enabled: Found again"),
    ]
    assert all(event.request_id and event.address for event in acts)


def test_a_revoked_certificate_is_revoked_for_good(alice: Signer, operator: Person, asked: Asked) -> None:
    sure = {"confirmed": "1", "reason": "Alice left", "code": "affiliation_changed"}
    certificates = Certificate.objects.order_by("pk")
    for code in ("certificate_hold", "ca_compromise", "remove_from_crl", ""):
        page = page_of(act(operator, "revoke", *certificates, **sure | {"code": code}))
        assert 'value="affiliation_changed"' in page
        assert not certificates.exclude(status="valid").exists()
    act(operator, "revoke", *certificates, **sure)
    act(operator, "revoke", *certificates, **sure)
    assert dict(certificates.values_list("role", "status")) == {
        "root": "valid",
        "issuing": "valid",
        "signer": "revoked",
    }
    event = AuditEvent.objects.get()
    assert event.reason.endswith("revoked (affiliation_changed): Alice left")
    assert certificates.get(role="signer").revocation_reason == "affiliation_changed"
    assert (event.subject, event.credential_id) == (operator.email, alice.credential.credential_id)
    answer = alice.sign(alice.approve(LEASE), LEASE)
    assert answer.json()["error_description"] == "Signing certificate 'CN=Alice Example' is revoked."
    assert asked.count == 0


def test_a_suspended_certificate_signs_nothing_until_it_is_resumed(
    alice: Signer, operator: Person, asked: Asked
) -> None:
    sure = {"confirmed": "1", "reason": "Alice cannot find her phone"}
    certificates = Certificate.objects.order_by("pk")
    page = page_of(act(operator, "suspend", *certificates))
    assert alice.credential.certificate.serial_number in page
    assert page.count("<li>") >= 1
    for _ in range(2):
        act(operator, "suspend", *certificates, **sure)
    answer = alice.sign(alice.approve(LEASE), LEASE)
    assert answer.json()["error_description"] == "Signing certificate 'CN=Alice Example' is suspended."
    assert asked.count == 0
    act(operator, "resume", *certificates, **sure | {"reason": "Found"})
    assert alice.sign(alice.approve(LEASE), LEASE).status_code == 200
    serial = alice.credential.certificate.serial_number
    assert list(
        AuditEvent.objects.filter(action="administer").order_by("sequence").values_list("subject", "reason")
    ) == [
        (operator.email, f"certificate {serial} suspended: Alice cannot find her phone"),
        (operator.email, f"certificate {serial} resumed: Found"),
    ]


def test_an_act_without_the_form_s_token_is_refused(alice: Signer, operator: Person) -> None:
    """Nobody else's page makes an operator's browser act."""
    operator.browser.handler.enforce_csrf_checks = True
    assert act(operator, "disable", alice.credential, confirmed="1", reason="because").status_code == 403
    assert Credential.objects.get().status == "enabled"
