"""The one page on which an operator says what the product is called and how it looks."""

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.appearance import Product
from config.logo import LARGEST_FILE, LogoRefusedError, draw_logo
from config.models import ONLY, Appearance

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


class AppearanceForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's own takes no parameters at run time
    """What is wrong is said beside the field."""

    new_logo = forms.FileField(
        label=gettext_lazy("a new logo"),
        required=False,
        help_text=gettext_lazy("PNG, JPEG or WebP, 256 kB at most. It stands in the name's place at the top of pages."),
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg,image/webp"}),
    )
    no_logo = forms.BooleanField(label=gettext_lazy("without a logo"), required=False)

    class Meta:
        model = Appearance
        fields = ("name", "accent")

    def clean_new_logo(self) -> tuple[bytes, bytes] | None:
        """The pictures that are kept."""
        upload = self.cleaned_data["new_logo"]
        try:
            return draw_logo(upload.read(LARGEST_FILE + 1)) if upload else None
        except LogoRefusedError as error:
            raise forms.ValidationError(str(error)) from None


@admin.register(Appearance)
class AppearanceAdmin(ModelAdmin):
    """One row: its list leads on to it. What was changed, from what to what, stands in its history."""

    form = AppearanceForm
    fields = ("name", "accent", "logo_now", "new_logo", "no_logo", "updated")
    readonly_fields = ("logo_now", "updated")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        Appearance.objects.get_or_create(pk=ONLY)
        return HttpResponseRedirect(reverse("admin:config_appearance_change", args=[ONLY]))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Appearance | None = None) -> bool:
        return False

    @admin.display(description=gettext_lazy("logo"))
    def logo_now(self, appearance: Appearance) -> str:
        address = Product("", checksum=appearance.checksum).logo_url
        return format_html('<img src="{}" height="40" alt="">', address) if address else _("none")

    def save_model(self, request: HttpRequest, obj: Appearance, form: Any, change: bool) -> None:
        drawn = form.cleaned_data.get("new_logo")
        if drawn is not None:
            obj.logo, obj.icon = drawn
            obj.checksum = sha256(drawn[0]).hexdigest()
        elif form.cleaned_data.get("no_logo"):
            obj.logo, obj.icon, obj.checksum = None, None, ""
        super().save_model(request, obj, form, change)

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """From what to what: the row itself remembers nothing."""
        changed = [
            _("%(field)s: “%(old)s”, now “%(new)s”")
            % {"field": form.fields[name].label, "old": form.initial.get(name), "new": form.cleaned_data[name]}
            for name in ("name", "accent")
            if name in form.changed_data
        ]
        if form.cleaned_data.get("new_logo"):
            changed.append(_("another logo, SHA-256 %(checksum)s") % {"checksum": form.instance.checksum})
        elif form.cleaned_data.get("no_logo"):
            changed.append(_("no logo any more"))
        return "; ".join(changed) or _("nothing changed")
