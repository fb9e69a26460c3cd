"""Credentials by the nearness of their end, and their end for good, by one operator or two."""

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from rssp.admin.base import ReadOnlyAdmin, operator_of
from rssp.errors import (
    CredentialEndedError,
    EvidenceMissingError,
    OwnRequestError,
    RsspError,
    SecondOperatorError,
)
from rssp.models import CertificateRequest, Credential, CredentialEnd
from rssp.services import lifecycle
from rssp.services.auditing import Origin
from rssp.services.expiring import list_expiring
from rssp.services.issuing import issue_request
from rssp.services.renewing import request_renewal

_SENTENCES: dict[type[RsspError], Any] = {
    CredentialEndedError: _("It is ended already."),
    SecondOperatorError: _("You proposed this. The second operator is somebody else."),
    OwnRequestError: _("This is your own credential. Somebody else ends it."),
    EvidenceMissingError: _("Say why: at least three letters, and one of the reasons."),
}


class ExpiryFilter(admin.SimpleListFilter):
    title = _("end of the certificate")
    parameter_name = "ends"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("7", _("within 7 days")), ("30", _("within 30 days")), ("90", _("within 90 days"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Credential]) -> QuerySet[Credential]:
        chosen = {key for key, _label in self.lookups(request, None)}
        if self.value() not in chosen:
            return queryset
        near = list_expiring(within=timedelta(days=int(self.value() or 0)))
        return queryset.filter(pk__in=near.values("pk"))


class EndedFilter(admin.SimpleListFilter):
    title = _("proposed to be ended")
    parameter_name = "proposed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("waiting for a second operator"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Credential]) -> QuerySet[Credential]:
        if self.value() != "yes":
            return queryset
        waiting = CredentialEnd.objects.filter(confirmed=None, withdrawn=None)
        return queryset.filter(pk__in=waiting.values("credential"))


class LifecycleAdmin(ReadOnlyAdmin):
    """Of credentials: their acts that cannot be undone."""

    show_facets = admin.ShowFacets.ALWAYS

    @admin.action(description=_("End for good: revoke the certificate, destroy the key"), permissions=["operate"])
    def end(self, request: HttpRequest, chosen: QuerySet[Credential]) -> TemplateResponse | None:
        text, code = request.POST.get("reason", ""), request.POST.get("code", "")
        if "confirmed" not in request.POST or not text.strip() or code not in CredentialEnd.Code.values:
            return self._ask(request, chosen)
        for row in chosen:
            try:
                end = lifecycle.end_credential(credential=row, code=code, text=text, operator=operator_of(request))
            except (CredentialEndedError, OwnRequestError, SecondOperatorError, EvidenceMissingError) as error:
                messages.error(request, f"{row.credential_id}: {_SENTENCES[type(error)]}")
                continue
            if end.confirmed is None:
                messages.warning(request, _("%s: proposed. A second operator must confirm it.") % row.credential_id)
            else:
                messages.success(request, _("%s: ended.") % row.credential_id)
        return None

    @admin.action(description=_("Renew the certificate, with the same key"), permissions=["operate"])
    def renew(self, request: HttpRequest, chosen: QuerySet[Credential]) -> TemplateResponse | None:
        question = _("These credentials get a newer certificate with what was verified before, for the key they have:")
        return self._renew(request, chosen, "renew", str(question), new_key=False)

    @admin.action(description=_("Renew the certificate and the key"), permissions=["operate"])
    def rekey(self, request: HttpRequest, chosen: QuerySet[Credential]) -> TemplateResponse | None:
        question = _(
            "These credentials get a new key and a certificate for it with what was verified before. The old one is "
            "revoked and its key destroyed; what is approved and not signed yet must be approved again:"
        )
        return self._renew(request, chosen, "rekey", str(question), new_key=True)

    def _renew(
        self, request: HttpRequest, chosen: QuerySet[Credential], action: str, question: str, *, new_key: bool
    ) -> TemplateResponse | None:
        text = self.read_reason(request)
        if not text:
            sentences = [(row, f"{row.credential_id}: {row.description} ({row.subject})") for row in chosen]
            return self.ask(request, action=action, question=question, sentences=sentences)
        operator = operator_of(request)
        for row in chosen:
            try:
                asked = request_renewal(credential=row, new_key=new_key, text=text, operator=operator)
                if asked.state == CertificateRequest.State.APPROVED:
                    asked = issue_request(request=asked, origin=Origin(operator.request_id, operator.address))
            except RsspError as error:
                messages.error(request, f"{row.credential_id}: {_SENTENCES.get(type(error), f'{error}.')}")
                continue
            messages.success(request, f"{row.credential_id}: {asked.get_state_display()}")
        return None

    @admin.action(description=_("Withdraw a proposed end"), permissions=["operate"])
    def withdraw(self, request: HttpRequest, chosen: QuerySet[Credential]) -> TemplateResponse | None:
        reason = self.read_reason(request)
        if not reason:
            question = _("These credentials stay as they are, and nobody's proposal to end them counts any more:")
            sentences = [(row, f"{row.credential_id}: {row.description}") for row in chosen]
            return self.ask(request, action="withdraw", question=str(question), sentences=sentences)
        operator = operator_of(request)
        done = sum(lifecycle.withdraw_end(credential=row, text=reason, operator=operator) for row in chosen)
        messages.success(request, _("%d proposals withdrawn.") % done)
        return None

    def _ask(self, request: HttpRequest, chosen: QuerySet[Credential]) -> TemplateResponse:
        proposed = CredentialEnd.objects.filter(credential__in=chosen, confirmed=None, withdrawn=None)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": _("End credentials for good"),
            "chosen": chosen,
            "proposed": proposed.select_related("credential"),
            "codes": CredentialEnd.Code.choices,
            "needs_two": lifecycle.needs_two(),
            "checkbox": ACTION_CHECKBOX_NAME,
            "missing": "confirmed" in request.POST,
        }
        return TemplateResponse(request, "rssp/end.html", context)
