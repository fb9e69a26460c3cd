"""The queue of requests for certificates: operators see what was asked and verified, approve with evidence, refuse with
a reason, carry requests to an outside authority and certificates back.
"""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from rssp.admin.base import ReadOnlyAdmin, TabularInline, operator_of
from rssp.errors import (
    AttributeDiffersError,
    AuthorityError,
    CertificateSubjectError,
    DecisionError,
    EvidenceMissingError,
    HsmError,
    OwnRequestError,
    RequestClosedError,
    RsspError,
    SecondOperatorError,
    WrongCertificateError,
)
from rssp.models import CertificateRequest, IdentityProof, RequestAttribute, RequestDecision, StandingEnd
from rssp.services import ending_standing, issuing, requests
from rssp.services.auditing import Origin
from rssp.services.lifecycle import needs_two
from rssp.services.registration import COMMON_NAME, attributes_to_verify

_LABELS = {
    "given_name": _("Given name"),
    "surname": _("Surname"),
    "country": _("Country (two letters)"),
    "identifier": _("Identifier, such as PNOFR-… or VATFR-… (for a person it may be left empty)"),
    "organisation": _("Organisation"),
}
_SENTENCES: dict[type[RsspError], Any] = {
    EvidenceMissingError: _("Something is missing: every attribute, and at least three letters of text."),
    AttributeDiffersError: _("The name that was asked for is not the one that you verified. Refuse the request."),
    SecondOperatorError: _("You have decided on this request already. The second operator is somebody else."),
    OwnRequestError: _("This is your own request. Somebody else decides on it."),
    RequestClosedError: _("The request is in another state by now."),
}


class _ReadOnlyInline(TabularInline):
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class _AttributeInline(_ReadOnlyInline):
    model = RequestAttribute
    fields = readonly_fields = ("name", "value", "source", "verifier", "verified", "evidence")


class _DecisionInline(_ReadOnlyInline):
    model = RequestDecision
    fields = readonly_fields = ("operator", "verdict", "text", "decided")


class _IdentityInline(_ReadOnlyInline):
    """What an OpenID provider said. The nonce and the verifier of one that is open are nobody's to see."""

    model = IdentityProof
    fields = readonly_fields = (
        *("outcome", "provider", "provider_subject", "acr", "authenticated"),
        *("claims", "reason", "begun", "used"),
    )


class _EndInline(_ReadOnlyInline):
    model = StandingEnd
    fields = readonly_fields = ("text", "proposed_by", "proposed", "confirmed_by", "confirmed", "withdrawn")


class ProposedFilter(admin.SimpleListFilter):
    title = _("proposed to be ended")
    parameter_name = "proposed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("waiting for a second operator"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[CertificateRequest]) -> QuerySet[CertificateRequest]:
        if self.value() != "yes":
            return queryset
        waiting = StandingEnd.objects.filter(confirmed=None, withdrawn=None)
        return queryset.filter(pk__in=waiting.values("request"))


@admin.register(CertificateRequest)
class CertificateRequestAdmin(ReadOnlyAdmin):
    list_display = ["credential_id", "asked_name", "certificate_policy", "state", "subject", "created", "expires"]
    list_filter = ["state", "certificate_policy", ProposedFilter, "created", "expires"]
    show_facets = admin.ShowFacets.ALWAYS
    search_fields = ["credential_id", "subject", "attributes__value", "decisions__operator"]
    date_hierarchy = "created"
    ordering = ["-created"]
    exclude = ["passkey_id", "passkey_public_key", "certification_request"]
    inlines = [_AttributeInline, _IdentityInline, _DecisionInline, _EndInline]
    actions = ["approve", "refuse", "end", "withdraw", "issue", "export", "import_"]

    @admin.display(description=_("name asked for"))
    def asked_name(self, row: CertificateRequest) -> str:
        return next((item.value for item in row.attributes.all() if item.name == COMMON_NAME), "")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CertificateRequest]:
        return super().get_queryset(request).prefetch_related("attributes")

    @admin.action(description=_("Approve one: I have verified who asks"), permissions=["operate"])
    def approve(self, request: HttpRequest, chosen: QuerySet[CertificateRequest]) -> HttpResponseBase | None:
        def act(row: CertificateRequest) -> None:
            done = requests.approve_request(
                request=row,
                stated={name: request.POST.get(name, "") for name in _LABELS},
                evidence=request.POST.get("text", ""),
                operator=operator_of(request),
            )
            if done.state == CertificateRequest.State.APPROVED:
                self._issue(request, done)
            elif done.state == CertificateRequest.State.STANDING:
                messages.success(request, _("Approved. A certificate is made for each signature."))
            else:
                messages.success(request, _("Approved. A second operator must confirm it."))

        return self._decide(request, chosen, "approve", act)

    @admin.action(description=_("Refuse one, and destroy its key"), permissions=["operate"])
    def refuse(self, request: HttpRequest, chosen: QuerySet[CertificateRequest]) -> HttpResponseBase | None:
        def act(row: CertificateRequest) -> None:
            requests.refuse_request(request=row, reason=request.POST.get("text", ""), operator=operator_of(request))
            messages.success(request, _("Refused. Whoever asked reads your reason."))

        return self._decide(request, chosen, "refuse", act)

    @admin.action(description=_("End one that stands, for good"), permissions=["operate"])
    def end(self, request: HttpRequest, chosen: QuerySet[CertificateRequest]) -> HttpResponseBase | None:
        def act(row: CertificateRequest) -> None:
            text = request.POST.get("text", "")
            end = ending_standing.end_standing(request=row, text=text, operator=operator_of(request))
            if end.confirmed is None:
                messages.warning(request, _("Proposed. A second operator must confirm it."))
            else:
                messages.success(request, _("Ended. No certificate is made of it any more."))

        return self._decide(request, chosen, "end", act)

    @admin.action(description=_("Withdraw the proposed end of one"), permissions=["operate"])
    def withdraw(self, request: HttpRequest, chosen: QuerySet[CertificateRequest]) -> HttpResponseBase | None:
        def act(row: CertificateRequest) -> None:
            text = request.POST.get("text", "")
            if ending_standing.withdraw_standing_end(request=row, text=text, operator=operator_of(request)):
                messages.success(request, _("Withdrawn. It stands as before."))
            else:
                messages.warning(request, _("Nobody's proposal to end it is open."))

        return self._decide(request, chosen, "withdraw", act)

    @admin.action(description=_("Have approved ones issued again"), permissions=["operate"])
    def issue(self, request: HttpRequest, chosen: QuerySet[CertificateRequest]) -> None:
        for row in chosen:
            self._issue(request, row)

    @admin.action(description=_("Export one for an outside authority (PKCS#10)"), permissions=["operate"])
    def export(self, request: HttpRequest, chosen: QuerySet[CertificateRequest]) -> HttpResponseBase | None:
        row = self._only(request, chosen)
        if row is None:
            return None
        try:
            der = issuing.export_request(request=row, operator=operator_of(request))
        except (DecisionError, AuthorityError, HsmError) as error:
            messages.error(request, _sentence(error))
            return None
        disposition = f'attachment; filename="{row.credential_id}.csr"'
        return HttpResponse(der, content_type="application/pkcs10", headers={"Content-Disposition": disposition})

    @admin.action(description=_("Import one's certificate from an outside authority"), permissions=["operate"])
    def import_(self, request: HttpRequest, chosen: QuerySet[CertificateRequest]) -> HttpResponseBase | None:
        def act(row: CertificateRequest) -> None:
            upload = request.FILES.get("certificate")
            if upload is None or (upload.size or 0) > issuing.LONGEST_CERTIFICATE_FILE:
                raise WrongCertificateError("there is no file, or it is too long")
            issuing.import_certificate(request=row, data=upload.read(), operator=operator_of(request))
            messages.success(request, _("The certificate is the credential's."))

        return self._decide(request, chosen, "import_", act)

    def _issue(self, request: HttpRequest, row: CertificateRequest) -> None:
        origin = Origin(getattr(request, "request_id", ""), operator_of(request).address)
        try:
            done = issuing.issue_request(request=row, origin=origin)
        except (DecisionError, AuthorityError, HsmError) as error:
            messages.warning(request, _("Not issued yet: %s") % _sentence(error))
            return
        if done.state == CertificateRequest.State.REFUSED:
            messages.error(request, _("The authority refused: %s") % done.reason)
        else:
            messages.success(request, _("The certificate is issued."))

    def _only(self, request: HttpRequest, chosen: QuerySet[CertificateRequest]) -> CertificateRequest | None:
        rows = list(chosen[:2])
        if len(rows) == 1:
            return rows[0]
        messages.error(request, _("Choose exactly one request: each is decided for itself."))
        return None

    def _decide(
        self,
        request: HttpRequest,
        chosen: QuerySet[CertificateRequest],
        action: str,
        act: Callable[[CertificateRequest], None],
    ) -> HttpResponseBase | None:
        """The page that shows what was asked and verified; then the act, or the page again with what is wrong."""
        row = self._only(request, chosen)
        if row is None:
            return None
        problem = ""
        if "confirmed" in request.POST:
            try:
                act(row)
            except (DecisionError, CertificateSubjectError, WrongCertificateError) as error:
                problem = _sentence(error)
            else:
                return None
        return self._page(request, row, action, problem)

    def _page(self, request: HttpRequest, row: CertificateRequest, action: str, problem: str) -> TemplateResponse:
        decisions = list(row.decisions.order_by("pk"))
        wanted: Sequence[str] = ()
        if action == "approve" and not decisions:
            wanted = attributes_to_verify(certificate_policy=row.certificate_policy)
        proof = row.identities.filter(outcome=IdentityProof.Outcome.VERIFIED).first()
        claims = {} if proof is None else proof.claims
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": {
                "approve": _("Approve a request"),
                "refuse": _("Refuse a request"),
                "end": _("End a short-lived credential"),
                "withdraw": _("Withdraw a proposed end"),
                "import_": _("Import a certificate"),
            }[action],
            "row": row,
            "attributes": row.attributes.order_by("pk"),
            "decisions": decisions,
            "needed": requests.operators_needed(),
            "needs_two_to_end": needs_two(),
            "proposed": row.ends.filter(confirmed=None, withdrawn=None).first(),
            "proof": proof,
            "claims": list(claims.items()),
            "fields": [
                {"name": name, "label": _LABELS[name], "value": request.POST.get(name, claims.get(name, ""))}
                for name in wanted
            ],
            "text": request.POST.get("text", ""),
            "action": action,
            "checkbox": ACTION_CHECKBOX_NAME,
            "problem": problem,
        }
        return TemplateResponse(request, "rssp/decide.html", context)


def _sentence(error: RsspError) -> str:
    return str(_SENTENCES.get(type(error), f"{error}."))
