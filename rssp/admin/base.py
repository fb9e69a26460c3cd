"""What every page of this role's admin has in common: nothing is changed by a form, and every act wants a reason."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from rssp.services import operating

if TYPE_CHECKING:
    # Django's own classes take no parameters at run time.
    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
else:
    ModelAdmin = admin.ModelAdmin
    TabularInline = admin.TabularInline


def operator_of(request: HttpRequest) -> operating.Operator:
    """Who acts. As a user of the service they are known by their subject: a column of theirs where the authorization
    server is served here, the end of their name (``issuer#subject``) where they logged in from elsewhere."""
    name = str(request.user.get_username())
    return operating.Operator(
        name=name,
        request_id=getattr(request, "request_id", ""),
        address=str(request.META.get("REMOTE_ADDR") or "")[:64],
        subject=str(getattr(request.user, "sub", name.rpartition("#")[2])),
    )


class ReadOnlyAdmin(ModelAdmin):
    """Looked at; changed by named actions alone, each of them a POST from the list."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """For actions: what a change would need, though no form changes anything here."""
        return super().has_change_permission(request)

    def read_reason(self, request: HttpRequest) -> str:
        """The reason, from the page that asked; empty as long as that page must (still) be shown."""
        return request.POST.get("reason", "").strip()[:150] if "confirmed" in request.POST else ""

    def ask(
        self,
        request: HttpRequest,
        *,
        action: str,
        question: str,
        sentences: Iterable[tuple[Model, str]],
        codes: Iterable[tuple[str, Any]] = (),
    ) -> TemplateResponse:
        """The page that names what will be met, one sentence for each; ``codes`` are the reasons to choose from."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": _("Are you sure?"),
            "question": question,
            "chosen": [{"pk": row.pk, "sentence": sentence} for row, sentence in sentences],
            "action": action,
            "checkbox": ACTION_CHECKBOX_NAME,
            "missing": "confirmed" in request.POST,
            "codes": list(codes),
        }
        return TemplateResponse(request, "rssp/confirm.html", context)
