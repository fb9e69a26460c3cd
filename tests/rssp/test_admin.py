"""What operators may do, and that each act is audited. No address of the admin signs."""

from django.contrib import admin

from rssp.models import AuditEvent, Credential
from rssp.services import operating
from tests.rssp.conftest import Signer, digest

OPERATOR = operating.Operator(name="operator@example.org", request_id="r", address="127.0.0.1")


def test_a_closed_credential_signs_nothing_until_it_is_opened_again(alice: Signer, asked: Asked) -> None:
    token = alice.approve(digest("Lease"))
    assert operating.set_status(credential=alice.credential, status="disabled", operator=OPERATOR)
    assert not operating.set_status(credential=alice.credential, status="disabled", operator=OPERATOR)
    assert alice.sign(token, digest("Lease")).status_code == 400
    assert asked.count == 0
    assert operating.set_status(credential=alice.credential, status="enabled", operator=OPERATOR)
    assert alice.sign(token, digest("Lease")).status_code == 200
    assert AuditEvent.objects.filter(action="administer").count() == 2


def test_a_revoked_certificate_is_revoked_for_good(alice: Signer, asked: Asked) -> None:
    certificate = alice.credential.certificate
    assert operating.revoke(certificate=certificate, operator=OPERATOR)
    assert not operating.revoke(certificate=certificate, operator=OPERATOR)
    assert alice.sign(alice.approve(digest("Lease")), digest("Lease")).status_code == 400
    assert asked.count == 0


def test_every_model_is_shown_and_none_is_edited() -> None:
    shown = {model for model in admin.site._registry if model._meta.app_label == "rssp"}
    assert len(shown) == 5
    assert set(admin.site._registry[Credential].actions or []) == {"disable", "enable"}
