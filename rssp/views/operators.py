"""The operators' API: each call is what an action of the administration is, by the same services."""

import logging
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

from rssp.errors import AuthorityError, HsmError, InvalidParameterError, UnchangedError
from rssp.models import Certificate, CertificateRequest, Credential, CredentialEnd
from rssp.services import ending_standing, inventory, issuing, lifecycle, operating, requests
from rssp.services.creating_explicit import DEFAULT_MULTISIGN, create_explicit_credential
from rssp.services.creating_external import create_external_credential
from rssp.services.explicit import NewObject
from rssp.services.idempotency import Answer
from rssp.services.inventory import CredentialFilter, RequestFilter
from rssp.services.operator_callers import OperatorCaller
from rssp.services.renewing import request_renewal
from rssp.views.operators_answers import (
    write_counts,
    write_credential,
    write_end,
    write_request,
    write_whole_credential,
)
from rssp.views.operators_endpoint import acting, by_method
from rssp.wire import operators as wire

log = logging.getLogger(__name__)

CREDENTIAL_FILTERS: dict[str, tuple[str, ...]] = {
    "q": (),
    "status": tuple(Credential.Status.values),
    "certificate_status": tuple(Certificate.Status.values),
    "policy": (),
    "subject": (),
    "expires_before": (),
}
REQUEST_FILTERS: dict[str, tuple[str, ...]] = {
    "state": tuple(CertificateRequest.State.values),
    "policy": (),
    "subject": (),
}
State = CertificateRequest.State

# --- Credentials --------------------------------------------------------------------------------------------


def _list_credentials(request: HttpRequest, _caller: OperatorCaller) -> HttpResponseBase:
    given = wire.parse_query(dict(request.GET.lists()), CREDENTIAL_FILTERS)
    if len(given.get("q", "")) > wire.LONGEST_QUERY:
        raise InvalidParameterError("q")
    after, limit = wire.parse_page(given)
    moment = given.get("expires_before")
    wanted = CredentialFilter(
        query=given.get("q", ""),
        status=given.get("status", ""),
        certificate_status=given.get("certificate_status", ""),
        certificate_policy=given.get("policy", ""),
        subject=given.get("subject", ""),
        expires_before=None if moment is None else wire.parse_moment(moment, "expires_before"),
    )
    found, following = inventory.list_credentials(wanted=wanted, after=after, limit=limit)
    return JsonResponse({"credentials": [write_credential(row) for row in found], "next_cursor": _cursor(following)})


def _show_credential(request: HttpRequest, _caller: OperatorCaller, credential_id: str) -> HttpResponseBase:
    wire.refuse_others(request.GET, set())
    return JsonResponse(write_whole_credential(inventory.find_credential(credential_id=credential_id)))


def _count(request: HttpRequest, _caller: OperatorCaller) -> HttpResponseBase:
    wire.refuse_others(request.GET, set())
    return JsonResponse(write_counts(inventory.count_all()))


def _create(caller: OperatorCaller, body: dict[str, Any]) -> Answer:
    wanted = wire.parse_new_credential(body)
    told = {
        "subject": wanted.subject,
        "common_name": wanted.common_name,
        "certificate_policy": wanted.certificate_policy,
        "key_algorithm": wanted.key_algorithm,
        "reason": wanted.reason,
    }
    if wanted.mode == "external":
        made = create_external_credential(**told, operator=caller.operator)
    else:
        made = create_explicit_credential(
            **told,
            operator=caller.operator,
            objects=[NewObject(*each) for each in wanted.objects],
            expression=wanted.expression,
            is_implicit=wanted.mode == "implicit",
            scal=wanted.scal,
            multisign=DEFAULT_MULTISIGN if wanted.multisign is None else wanted.multisign,
        )
    return 201, write_credential(made)


def _set_status(caller: OperatorCaller, body: dict[str, Any], credential_id: str, status: str) -> Answer:
    reason = wire.parse_reason(body)
    row = inventory.find_credential(credential_id=credential_id)
    return _changed(row, operating.set_status(credential=row, status=status, reason=reason, operator=caller.operator))


def _enable(caller: OperatorCaller, body: dict[str, Any], credential_id: str) -> Answer:
    return _set_status(caller, body, credential_id, Credential.Status.ENABLED)


def _disable(caller: OperatorCaller, body: dict[str, Any], credential_id: str) -> Answer:
    return _set_status(caller, body, credential_id, Credential.Status.DISABLED)


def _suspend(caller: OperatorCaller, body: dict[str, Any], credential_id: str) -> Answer:
    reason = wire.parse_reason(body)
    row = inventory.find_credential(credential_id=credential_id)
    return _changed(row, operating.suspend(certificate=row.certificate, reason=reason, operator=caller.operator))


def _resume(caller: OperatorCaller, body: dict[str, Any], credential_id: str) -> Answer:
    reason = wire.parse_reason(body)
    row = inventory.find_credential(credential_id=credential_id)
    return _changed(row, operating.resume(certificate=row.certificate, reason=reason, operator=caller.operator))


def _revoke(caller: OperatorCaller, body: dict[str, Any], credential_id: str) -> Answer:
    """For good: the certificate revoked, the key destroyed; 202 where a second operator must confirm it."""
    code, reason = wire.parse_revocation(body, CredentialEnd.Code.values)
    row = inventory.find_credential(credential_id=credential_id)
    end = lifecycle.end_credential(credential=row, code=code, text=reason, operator=caller.operator)
    after = write_credential(inventory.find_credential(credential_id=credential_id))
    if end.confirmed is None:
        return 202, after | {"proposed_end": write_end(end)}
    return 200, after | {"proposed_end": None}


def _withdraw(caller: OperatorCaller, body: dict[str, Any], credential_id: str) -> Answer:
    reason = wire.parse_reason(body)
    row = inventory.find_credential(credential_id=credential_id)
    return _changed(row, lifecycle.withdraw_end(credential=row, text=reason, operator=caller.operator))


def _renew(caller: OperatorCaller, body: dict[str, Any], credential_id: str) -> Answer:
    """200 where the certificate is issued, 202 where it waits for a second operator or an authority elsewhere."""
    new_key, reason = wire.parse_renewal(body)
    row = inventory.find_credential(credential_id=credential_id)
    asked = request_renewal(credential=row, new_key=new_key, text=reason, operator=caller.operator)
    return _issue_if_approved(asked, caller)


def _changed(row: Credential, has_changed: bool) -> Answer:
    if not has_changed:
        raise UnchangedError("it is so already, or cannot be")
    return 200, write_credential(inventory.find_credential(credential_id=row.credential_id))


# --- Requests for certificates ------------------------------------------------------------------------------


def _list_requests(request: HttpRequest, _caller: OperatorCaller) -> HttpResponseBase:
    given = wire.parse_query(dict(request.GET.lists()), REQUEST_FILTERS)
    after, limit = wire.parse_page(given)
    wanted = RequestFilter(
        state=given.get("state", ""), certificate_policy=given.get("policy", ""), subject=given.get("subject", "")
    )
    found, following = inventory.list_requests(wanted=wanted, after=after, limit=limit)
    return JsonResponse({"requests": [write_request(row) for row in found], "next_cursor": _cursor(following)})


def _show_request(request: HttpRequest, _caller: OperatorCaller, number: str) -> HttpResponseBase:
    wire.refuse_others(request.GET, set())
    return JsonResponse(write_request(_find(number)))


def _approve(caller: OperatorCaller, body: dict[str, Any], number: str) -> Answer:
    stated, evidence = wire.parse_approval(body)
    row = requests.approve_request(request=_find(number), stated=stated, evidence=evidence, operator=caller.operator)
    return _issue_if_approved(row, caller)


def _refuse(caller: OperatorCaller, body: dict[str, Any], number: str) -> Answer:
    reason = wire.parse_reason(body)
    row = requests.refuse_request(request=_find(number), reason=reason, operator=caller.operator)
    return 200, write_request(_find(str(row.pk)))


def _issue(caller: OperatorCaller, body: dict[str, Any], number: str) -> Answer:
    wire.parse_nothing(body)
    row = issuing.issue_request(request=_find(number), origin=caller.origin)
    return 200, write_request(_find(str(row.pk)))


def _export(caller: OperatorCaller, body: dict[str, Any], number: str) -> Answer:
    wire.parse_nothing(body)
    der = issuing.export_request(request=_find(number), operator=caller.operator)
    return 200, {"csr": x509.load_der_x509_csr(der).public_bytes(Encoding.PEM).decode()}


def _import(caller: OperatorCaller, body: dict[str, Any], number: str) -> Answer:
    data = wire.parse_certificate(body, issuing.LONGEST_CERTIFICATE_FILE)
    row = issuing.import_certificate(request=_find(number), data=data, operator=caller.operator)
    return 200, write_request(_find(str(row.pk)))


def _end_standing(caller: OperatorCaller, body: dict[str, Any], number: str) -> Answer:
    reason = wire.parse_reason(body)
    row = _find(number)
    end = ending_standing.end_standing(request=row, text=reason, operator=caller.operator)
    return 202 if end.confirmed is None else 200, write_request(_find(number))


def _withdraw_standing(caller: OperatorCaller, body: dict[str, Any], number: str) -> Answer:
    reason = wire.parse_reason(body)
    row = _find(number)
    if not ending_standing.withdraw_standing_end(request=row, text=reason, operator=caller.operator):
        raise UnchangedError("nobody proposes to end it")
    return 200, write_request(_find(number))


def _issue_if_approved(row: CertificateRequest, caller: OperatorCaller) -> Answer:
    """202 while it waits: for a second operator, or for an issuer, of whom ``reason`` says what is in the way."""
    if row.state == State.APPROVED:
        try:
            issuing.issue_request(request=row, origin=caller.origin)
        except (AuthorityError, HsmError) as error:
            log.warning("the request %s is not issued yet: %s", row.credential_id, error)
    found = _find(str(row.pk))
    return 202 if found.state in {State.WAITING, State.APPROVED} else 200, write_request(found)


def _find(number: str) -> CertificateRequest:
    return inventory.find_request(number=wire.parse_number(number))


def _cursor(following: int | None) -> str | None:
    return None if following is None else str(following)


credentials = by_method(GET=_list_credentials, POST=acting(_create))
credential = by_method(GET=_show_credential)
counts = by_method(GET=_count)
certificate_requests = by_method(GET=_list_requests)
certificate_request = by_method(GET=_show_request)
CREDENTIAL_ACTS = {
    "enable": by_method(POST=acting(_enable)),
    "disable": by_method(POST=acting(_disable)),
    "suspend": by_method(POST=acting(_suspend)),
    "resume": by_method(POST=acting(_resume)),
    "revoke": by_method(POST=acting(_revoke)),
    "withdraw": by_method(POST=acting(_withdraw)),
    "renew": by_method(POST=acting(_renew)),
}
REQUEST_ACTS = {
    "approve": by_method(POST=acting(_approve)),
    "refuse": by_method(POST=acting(_refuse)),
    "issue": by_method(POST=acting(_issue)),
    "csr": by_method(POST=acting(_export)),
    "certificate": by_method(POST=acting(_import)),
    "end": by_method(POST=acting(_end_standing)),
    "withdraw": by_method(POST=acting(_withdraw_standing)),
}
