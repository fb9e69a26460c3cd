"""The one page on which an operator says what the product is called and how it looks."""

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.appearance import read_product
from config.logo import LARGEST_FILE, LogoRefusedError, draw_logo
from config.models import ONLY, Appearance
from config.preview import OWN, draw_preview

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin

_OWN_ACCENT = OWN.light.accent


class AppearanceForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's own takes no parameters at run time
    """What is wrong is said beside the field."""

    new_logo = forms.FileField(
        label=gettext_lazy("New logo"),
        required=False,
        help_text=gettext_lazy("PNG, JPEG or WebP, 256 kB at most. It stands in the name's place at the top of pages."),
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg,image/webp"}),
    )
    no_logo = forms.BooleanField(label=gettext_lazy("Without a logo"), required=False)

    class Meta:
        model = Appearance
        fields = ("name", "accent")
        error_messages = {
            "name": {
                "invalid": gettext_lazy(
                    "Write it without quotation marks, angle brackets and backslashes, and without characters that"
                    " nobody sees."
                )
            }
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, otherwise in (("name", settings.PRODUCT_NAME), ("accent", settings.PRODUCT_ACCENT or _OWN_ACCENT)):
            holds = _("Empty: %(value)s, as the installation's settings say.") % {"value": otherwise}
            self.fields[name].help_text = f"{self.fields[name].help_text} {holds}"

    def clean_new_logo(self) -> tuple[bytes, bytes] | None:
        """The pictures that are kept."""
        upload = self.cleaned_data["new_logo"]
        try:
            return draw_logo(upload.read(LARGEST_FILE + 1)) if upload else None
        except LogoRefusedError as error:
            raise forms.ValidationError(str(error)) from None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("new_logo") and cleaned.get("no_logo"):
            self.add_error("no_logo", _("Choose one of both: a new logo, or none."))
        return cleaned


@admin.register(Appearance)
class AppearanceAdmin(ModelAdmin):
    """One row: its list leads on to it. What was changed, from what to what, stands in its history."""

    form = AppearanceForm
    readonly_fields = ("shown_now", "updated")

    def get_fieldsets(self, request: HttpRequest, obj: Appearance | None = None) -> Any:
        """Whether there is to be none is asked where there is a logo."""
        logo = ("new_logo", "no_logo") if obj is not None and obj.checksum else ("new_logo",)
        return [
            (None, {"fields": ("shown_now",)}),
            (gettext_lazy("Name and colour"), {"fields": ("name", "accent")}),
            (gettext_lazy("Logo"), {"fields": logo}),
            (None, {"fields": ("updated",)}),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        Appearance.objects.get_or_create(pk=ONLY)
        return HttpResponseRedirect(reverse("admin:config_appearance_change", args=[ONLY]))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Appearance | None = None) -> bool:
        return False

    @admin.display(description=gettext_lazy("as pages show it now"))
    def shown_now(self, _appearance: Appearance) -> str:
        # What is saved: a form that was refused has changed nothing yet.
        return draw_preview(read_product())

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any) -> Any:
        """There is one of it, so it is said once what it is; saving comes back to this page, so one button does."""
        one = {"title": str(context["original"]), "subtitle": None, "show_save_and_continue": False}
        return super().render_change_form(request, context | one, *args, **options)

    def response_change(self, request: HttpRequest, obj: Appearance) -> HttpResponse:
        self.message_user(request, _("Saved. Pages and mails show it from now on."))
        return HttpResponseRedirect(request.path)

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
