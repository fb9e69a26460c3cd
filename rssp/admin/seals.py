"""Which clients may use which owners' seals."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from rssp.admin.base import ReadOnlyAdmin, operator_of
from rssp.models import SealGrant
from rssp.services import granting


@admin.register(SealGrant)
class SealGrantAdmin(ReadOnlyAdmin):
    """Added by a form, taken back and given again by actions; what was there stays readable."""

    list_display = ["client_id", "subject", "max_signatures", "active", "created"]
    list_filter = ["active", "created"]
    search_fields = ["client_id", "subject"]
    fields = ["client_id", "subject", "max_signatures"]
    actions = ["take_back", "give_again"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_operate_permission(request)

    def save_model(self, request: HttpRequest, obj: SealGrant, form: Any, change: bool) -> None:
        made = granting.grant_seals(
            client_id=obj.client_id,
            subject=obj.subject,
            max_signatures=obj.max_signatures,
            operator=operator_of(request),
        )
        obj.pk = made.pk

    @admin.action(description=_("Take back: nothing more is sealed under these grants"), permissions=["operate"])
    def take_back(self, request: HttpRequest, chosen: QuerySet[SealGrant]) -> TemplateResponse | None:
        question = gettext("These grants end at once, and with them what was authorised and is not signed yet:")
        return self._set_active(request, chosen, "take_back", question, active=False)

    @admin.action(description=_("Give again"), permissions=["operate"])
    def give_again(self, request: HttpRequest, chosen: QuerySet[SealGrant]) -> TemplateResponse | None:
        question = gettext("These clients will seal for these owners again, without a person:")
        return self._set_active(request, chosen, "give_again", question, active=True)

    def _set_active(
        self, request: HttpRequest, chosen: QuerySet[SealGrant], action: str, question: str, *, active: bool
    ) -> TemplateResponse | None:
        reason = self.read_reason(request)
        if not reason:
            return self.ask(request, action=action, question=question, sentences=[(row, str(row)) for row in chosen])
        operator = operator_of(request)
        done = sum(
            granting.set_grant_active(grant=row, active=active, reason=reason, operator=operator) for row in chosen
        )
        messages.success(request, ngettext("%d grant changed.", "%d grants changed.", done) % done)
        return None
