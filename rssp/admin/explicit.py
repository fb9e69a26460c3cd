"""Explicit mode in the admin: an operator's opt-in for one user at a time, marked weaker wherever it is named."""

from collections.abc import Callable
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID
from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from rssp.admin.base import ReadOnlyAdmin, TabularInline, operator_of
from rssp.errors import RsspError
from rssp.forms import ExplicitCredentialForm, PinForm
from rssp.models import AuthenticationObject, Credential
from rssp.services.creating_explicit import create_explicit_credential, set_pin, unlock_credential


class AuthenticationObjectInline(TabularInline):
    """Never a secret, not even sealed."""

    model = AuthenticationObject
    fields = readonly_fields = ("identifier", "kind", "label", "attempts", "lockouts", "locked_until")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ExplicitActions(ReadOnlyAdmin):
    """Actions on credentials; each page names whom it is about."""

    @admin.action(description=_("Make a credential in explicit mode for this user (weaker)"), permissions=["operate"])
    def make_explicit(self, request: HttpRequest, chosen: QuerySet[Credential]) -> TemplateResponse | None:
        def act(of: Credential, given: dict[str, Any]) -> None:
            names = ("common_name", "key_algorithm", "objects", "expression", "is_implicit", "scal")
            made = create_explicit_credential(
                **{name: given[name] for name in (*names, "multisign", "reason")},
                subject=of.subject,
                certificate_policy=of.certificate_policy,
                operator=operator_of(request),
            )
            messages.success(request, gettext("%s was made.") % made.credential_id)

        question = gettext(
            "A PIN or one-time password opens the new key without the user's approval on the authorization server's "
            "page, so whoever learns them signs. Make it only if the user's application can do nothing better."
        )
        return self._fill(request, chosen, "make_explicit", question, ExplicitCredentialForm, act)

    @admin.action(description=_("Set a new PIN (explicit mode)"), permissions=["operate"])
    def set_pin(self, request: HttpRequest, chosen: QuerySet[Credential]) -> TemplateResponse | None:
        def act(of: Credential, given: dict[str, Any]) -> None:
            set_pin(credential=of, pin=given["pin"], reason=given["reason"], operator=operator_of(request))
            messages.success(request, gettext("The PIN of %s is set.") % of.credential_id)

        question = gettext("The PIN that the user knows will open nothing any more.")
        return self._fill(request, chosen, "set_pin", question, PinForm, act)

    @admin.action(description=_("Unlock (explicit mode)"), permissions=["operate"])
    def unlock(self, request: HttpRequest, chosen: QuerySet[Credential]) -> TemplateResponse | None:
        reason = self.read_reason(request)
        if not reason:
            sentences = [(row, f"{row.credential_id}: {row.description} ({row.subject})") for row in chosen]
            question = gettext("Whoever tried wrong PINs and passwords may try again:")
            return self.ask(request, action="unlock", question=question, sentences=sentences)
        operator = operator_of(request)
        done = sum(unlock_credential(credential=row, reason=reason, operator=operator) for row in chosen)
        messages.success(request, ngettext("%d credential unlocked.", "%d credentials unlocked.", done) % done)
        return None

    def _fill(
        self,
        request: HttpRequest,
        chosen: QuerySet[Credential],
        action: str,
        question: str,
        form_class: type[forms.Form],
        act: Callable[[Credential, dict[str, Any]], None],
    ) -> TemplateResponse | None:
        """The page with the form, until it is filled in rightly; then the act."""
        of = chosen.select_related("certificate").first()
        if of is None or chosen.count() != 1:
            messages.error(request, gettext("Choose one credential."))
            return None
        form = form_class(request.POST) if "confirmed" in request.POST else form_class(initial=_person(of))
        if form.is_bound and form.is_valid():
            try:
                act(of, form.cleaned_data)
            except RsspError as error:
                form.add_error(None, str(error))
            else:
                return None
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": _("Explicit mode"),
            "question": question,
            "sentence": f"{of.credential_id}: {of.description} ({of.subject})",
            "form": form,
            "pk": of.pk,
            "action": action,
            "checkbox": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "rssp/explicit.html", context)


def _person(credential: Credential) -> dict[str, str]:
    names = x509.Name.from_rfc4514_string(credential.certificate.subject).get_attributes_for_oid(NameOID.COMMON_NAME)
    return {"common_name": str(names[0].value)} if names else {}
