"""Errors on the wire, and what operators can do."""

from collections.abc import Iterator

from django.contrib import admin
from django.test import RequestFactory

from gateway import errors
from gateway.error_responses import STATUS, respond
from gateway.models import CredentialRequest, Job, StoredDocument


def _all(kind: type[errors.GatewayError]) -> Iterator[type[errors.GatewayError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _all(child)


def test_every_error_is_mapped() -> None:
    for kind in _all(errors.GatewayError):
        assert any(issubclass(kind, mapped) for mapped, _ in STATUS), kind


def test_an_unmapped_error_says_nothing_but_the_requests_id() -> None:
    request = RequestFactory().get("/")
    request.request_id = "abc"  # type: ignore[attr-defined]
    response = respond(request, errors.GatewayError("the password is x"))
    assert response.status_code == 500
    assert b"password" not in response.content
    assert b'"request_id": "abc"' in response.content


def test_no_admin_page_can_change_add_or_act(rf: RequestFactory) -> None:
    request = rf.get("/admin/")
    for model in (Job, CredentialRequest):
        page = admin.site.get_model_admin(model)
        assert not page.has_add_permission(request)
        assert not page.has_change_permission(request)
        assert not page.has_delete_permission(request)
        assert page.actions is None
    assert not admin.site.is_registered(StoredDocument)


def test_no_admin_page_shows_a_secret() -> None:
    secret = {"token", "approval_secrets", "signature", "signed_attributes", "wrapped_key"}
    for model in (Job, CredentialRequest):
        assert not secret & set(admin.site.get_model_admin(model).fields)
