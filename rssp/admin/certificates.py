"""The certificates: what they say, when they end, and what an operator may do with them. Nothing here signs anything
but certificates, and those through the authority's services.
"""

from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from rssp.admin.base import ReadOnlyAdmin, operator_of
from rssp.models import Certificate
from rssp.pki.reading import describe_certificate
from rssp.services import operating, overview
from rssp.services.revoking import Publisher, publisher_of

_FORMS = {
    "DER": (Encoding.DER, "application/pkix-cert", "cer"),
    "PEM": (Encoding.PEM, "application/x-pem-file", "pem"),
}
# What an operator may say of a signer's or a seal's certificate (RFC 5280, 5.3.1).
_REASON_CODES = [
    (reason.value, reason.label)
    for reason in Certificate.Reason
    if reason not in {Certificate.Reason.CA_COMPROMISE, Certificate.Reason.CERTIFICATE_HOLD}
]


class EndFilter(admin.SimpleListFilter):
    """By when certificates end, with how many of them there are."""

    title = _("end")
    parameter_name = "ends"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        labels = {
            "over": _("over"),
            "7": _("within 7 days"),
            "30": _("within 30 days"),
            "90": _("within 90 days"),
            "later": _("later"),
        }
        everything = Certificate.objects.filter(state=Certificate.State.ISSUED)
        return [(value, f"{label} ({self._narrow(everything, value).count()})") for value, label in labels.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Certificate]) -> QuerySet[Certificate]:
        value = self.value()
        return queryset if value is None else self._narrow(queryset, value)

    @staticmethod
    def _narrow(rows: QuerySet[Certificate], value: str) -> QuerySet[Certificate]:
        now = timezone.now()
        if value == "over":
            return rows.filter(not_after__lte=now)
        if value == "later":
            return rows.filter(not_after__gt=now + timedelta(days=90))
        return rows.filter(not_after__gt=now, not_after__lte=now + timedelta(days=int(value)))


@admin.register(Certificate)
class CertificateAdmin(ReadOnlyAdmin):
    list_display = ["subject", "profile", "status", "not_after", "state", "serial_number", "revoked_at"]
    list_filter = [EndFilter, "profile", "status", "state", "role"]
    search_fields = ["serial_number", "subject", "public_key_sha256"]
    date_hierarchy = "not_after"
    readonly_fields = ["told", "contents", "downloads"]
    fieldsets = [
        (None, {"fields": ["told", "downloads", "contents"]}),
        (
            _("status"),
            {"fields": ["status", "revoked_at", "revocation_reason", "state", "not_before", "not_after"]},
        ),
        (
            _("record"),
            {
                "fields": [
                    *("subject", "serial_number", "role", "profile", "issuer", "generation", "renews", "partition"),
                    *("public_key_sha256", "status_version", "created"),
                ]
            },
        ),
    ]
    actions = ["revoke", "suspend", "resume"]
    change_list_template = "rssp/certificate_list.html"

    def get_urls(self) -> list[URLPattern]:
        own = [
            path("authority/", self.admin_site.admin_view(self.authority), name="rssp_authority"),
            path("<int:pk>/<str:form>/", self.admin_site.admin_view(self.download), name="rssp_certificate_download"),
        ]
        return [own[0], *super().get_urls()[:-1], own[1], *super().get_urls()[-1:]]

    @admin.display(description=_("contents"))
    def contents(self, certificate: Certificate) -> str:
        if not certificate.der:
            return "–"
        rows = format_html_join("\n", "<tr><th>{}</th><td>{}</td></tr>", describe_certificate(bytes(certificate.der)))
        return format_html("<table><tbody>{}</tbody></table>", rows)

    @admin.display(description=_("who publishes its status"))
    def told(self, certificate: Certificate) -> str:
        """Where the world hears of a revocation; of what is issued elsewhere that is not here."""
        state = certificate.get_status_display()
        match publisher_of(certificate):
            case Publisher.NOBODY:
                return gettext("Nobody: it has no issuer that could revoke it. Here it is %(state)s.") % {
                    "state": state
                }
            case Publisher.ELSEWHERE if certificate.issuer_told and certificate.issuer_refusal:
                return gettext("Its issuer, elsewhere, which was told that it is revoked and refused: %(reason)s.") % {
                    "reason": certificate.issuer_refusal
                }
            case Publisher.ELSEWHERE if certificate.issuer_told:
                return gettext("Its issuer, elsewhere, which was told: %(state)s.") % {"state": state}
            case Publisher.ELSEWHERE:
                return gettext(
                    "Its issuer, elsewhere: ask the issuer to revoke it. Here it is %(state)s, which decides whether "
                    "its credential signs and is published nowhere."
                ) % {"state": state}
            case Publisher.HERE:
                return gettext("This service, by CRL and OCSP: %(state)s.") % {"state": state}

    @admin.display(description=_("download"))
    def downloads(self, certificate: Certificate) -> str:
        if not certificate.der:
            return "–"
        forms = [(reverse("admin:rssp_certificate_download", args=[certificate.pk, form]), form) for form in _FORMS]
        return format_html_join(" ", '<a href="{}" download>{}</a>', forms)

    def download(self, request: HttpRequest, pk: int, form: str) -> HttpResponse:
        """The certificate as DER or PEM (RFC 2585, 4.1; RFC 7468, 5)."""
        certificate = self.get_object(request, str(pk))
        if form not in _FORMS or certificate is None or not certificate.der:
            raise Http404
        if not self.has_view_permission(request, certificate):
            raise PermissionDenied
        encoding, media_type, suffix = _FORMS[form]
        content = x509.load_der_x509_certificate(bytes(certificate.der)).public_bytes(encoding)
        name = f"{certificate.serial_number}.{suffix}"
        return HttpResponse(
            content, content_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'}
        )

    def authority(self, request: HttpRequest) -> TemplateResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": _("The authority"),
            "authorities": overview.describe_authorities(),
            "expiring": overview.count_expiring(),
        }
        return TemplateResponse(request, "rssp/authority.html", context)

    @admin.action(description=_("Revoke for ever"), permissions=["operate"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[Certificate]) -> TemplateResponse | None:
        reason, code = self.read_reason(request), request.POST.get("code", "")
        rows = self._of_others(chosen)
        if not reason or code not in dict(_REASON_CODES):
            question = gettext(
                "These certificates will be revoked for ever, and their credentials sign nothing any more:"
            )
            sentences = [(row, _sentence(row)) for row in rows]
            return self.ask(request, action="revoke", question=question, sentences=sentences, codes=_REASON_CODES)
        operator = operator_of(request)
        done = sum(
            operating.revoke(certificate=row, reason_code=code, reason=reason, operator=operator) for row in rows
        )
        messages.success(request, ngettext("%d certificate revoked.", "%d certificates revoked.", done) % done)
        return None

    @admin.action(description=_("Suspend: on hold until resumed or revoked"), permissions=["operate"])
    def suspend(self, request: HttpRequest, chosen: QuerySet[Certificate]) -> TemplateResponse | None:
        question = gettext(
            "These certificates will be on hold, and their credentials sign nothing, not even what is approved now:"
        )
        return self._hold(request, chosen, "suspend", question)

    @admin.action(description=_("Resume what is suspended"), permissions=["operate"])
    def resume(self, request: HttpRequest, chosen: QuerySet[Certificate]) -> TemplateResponse | None:
        question = gettext("These certificates will be valid again, as if they had never been on hold:")
        return self._hold(request, chosen, "resume", question)

    def _hold(
        self, request: HttpRequest, chosen: QuerySet[Certificate], action: str, question: str
    ) -> TemplateResponse | None:
        reason = self.read_reason(request)
        rows = self._of_others(chosen)
        if not reason:
            sentences = [(row, _sentence(row)) for row in rows]
            return self.ask(request, action=action, question=question, sentences=sentences)
        act = {"suspend": operating.suspend, "resume": operating.resume}[action]
        operator = operator_of(request)
        done = sum(act(certificate=row, reason=reason, operator=operator) for row in rows)
        messages.success(request, ngettext("%d certificate changed.", "%d certificates changed.", done) % done)
        return None

    def _of_others(self, chosen: QuerySet[Certificate]) -> QuerySet[Certificate]:
        """The service's own certificates are not met by an action of a list."""
        return chosen.filter(role__in=[Certificate.Role.SIGNER, Certificate.Role.SEAL])


def _sentence(certificate: Certificate) -> str:
    """Which one will be met, and what the act does not do."""
    named = f"{certificate.serial_number}: {certificate.subject}"
    if publisher_of(certificate) != Publisher.ELSEWHERE:
        return named
    return gettext(
        "%(named)s (issued elsewhere: this ends its use here, and nobody else hears of it; ask the issuer)"
    ) % {"named": named}
