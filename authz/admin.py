"""What operators see of this role: who there is, which clients, and the evidence of consents, which nobody edits."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from authz.errors import InvalidRequestError
from authz.models import Application, ClientLogo, Consent, Passkey, Session, User
from authz.services.browser_sessions import end_all_sessions
from authz.services.client_policy import find_faults
from authz.services.logins import has_two_factors
from authz.services.logos import LARGEST_FILE, draw_logo, keep_logo

if TYPE_CHECKING:
    # Django's own classes take no parameters at run time.
    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
else:
    ModelAdmin = admin.ModelAdmin
    TabularInline = admin.TabularInline


def guard_site() -> None:
    """The admin opens only to an operator's session with password and passkey verified; it has no login page."""

    def has_permission(request: HttpRequest) -> bool:
        user = request.user
        return isinstance(user, User) and user.is_active and user.is_staff and has_two_factors(request.session, user)

    def login(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        wanted = request.GET.get("next", reverse("admin:index"))
        query = request.GET.copy()
        query["next"] = wanted
        query["confirm"] = "1"  # a passkey alone does not open the admin
        return HttpResponseRedirect(f"{reverse('authz:login')}?{query.urlencode()}")

    def password_change(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        # Django's page asks for the old password alone.
        raise Http404

    site = admin.site
    site.site_header = site.site_title = _("Paraph administration")
    site.index_title = _("What is kept here")
    site.has_permission = has_permission  # type: ignore[method-assign]
    site.login = login  # type: ignore[method-assign]
    site.password_change = password_change  # type: ignore[method-assign,assignment]


class ReadOnlyAdmin(ModelAdmin):
    """Looked at, never changed."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class HiddenAdmin(ReadOnlyAdmin):
    """Rows that mean nothing to a person; the provider insists on showing them somewhere."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class PasskeyInline(TabularInline):
    model = Passkey
    fields = ("name", "sign_count", "backup_eligible", "backed_up", "created", "last_used")
    readonly_fields = ("name", "sign_count", "backup_eligible", "backed_up", "created", "last_used")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False


@admin.register(User)
class UserAdmin(ModelAdmin):
    """An account can be closed and its name mended; password and passkeys are its owner's alone."""

    list_display = [
        "email",
        "is_email_verified",
        "name",
        "is_active",
        "is_staff",
        "passkey_count",
        "date_joined",
        "last_login",
    ]
    list_filter = ["is_active", "is_staff", "date_joined"]
    search_fields = ["email", "name", "sub"]
    fields = [
        "email",
        "is_email_verified",
        "name",
        "sub",
        "is_active",
        "is_staff",
        "is_superuser",
        "date_joined",
        "last_login",
    ]
    readonly_fields = ["email", "is_email_verified", "sub", "date_joined", "last_login"]
    inlines = [PasskeyInline]

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Who closes an account ends its sessions too, here and at clients."""
        super().save_model(request, obj, form, change)
        if not obj.is_active:
            end_all_sessions(user=obj)

    @admin.display(description=_("address confirmed"), boolean=True)
    def is_email_verified(self, user: User) -> bool:
        return user.is_email_verified

    @admin.display(description=_("passkeys"))
    def passkey_count(self, user: User) -> int:
        return user.passkeys.count()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False


@admin.register(Passkey)
class PasskeyAdmin(ReadOnlyAdmin):
    list_display = ["name", "user", "created", "last_used", "sign_count", "backed_up"]
    list_filter = ["backed_up", "created"]
    search_fields = ["user__email", "name"]
    exclude = ["credential_id", "public_key"]


class _KeysField(forms.JSONField):
    """Empty where there are none."""

    def prepare_value(self, value: Any) -> Any:
        return "" if value is None else super().prepare_value(value)


class ApplicationForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's own takes no parameters at run time
    """A client's policy; what does not go together is said beside the field."""

    logo = forms.FileField(
        label=_("New logo"),
        required=False,
        help_text=_("PNG, JPEG or WebP, 256 kB at most. Shown on the pages that ask for consent, beside its name."),
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg,image/webp"}),
    )
    no_logo = forms.BooleanField(label=_("Without a logo"), required=False)

    def clean_logo(self) -> bytes | None:
        """The PNG that is kept."""
        upload = self.cleaned_data["logo"]
        try:
            return draw_logo(upload.read(LARGEST_FILE + 1)) if upload else None
        except InvalidRequestError as error:
            raise forms.ValidationError(str(error)) from None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("logo") and cleaned.get("no_logo"):
            self.add_error("no_logo", _("Choose one of both: a new logo, or none."))
        for name in set(cleaned) - {"logo", "no_logo"}:
            setattr(self.instance, name, cleaned[name])
        for field, sentence in find_faults(application=self.instance):
            self.add_error(field if field in self.fields else None, sentence)
        return cleaned


class ApplicationAdmin(ModelAdmin):
    """A foreign client's policy; our own clients follow the settings, secrets are made by a command, and nobody
    registers one but an operator (RFC 7591 is not offered)."""

    form = ApplicationForm
    formfield_overrides = {models.JSONField: {"form_class": _KeysField}}
    view_on_site = False  # a client has no page
    list_display = [
        "name",
        "client_id",
        "client_type",
        "allowed_scopes",
        "authentication",
        "fapi_profile",
        "may_act_alone",
        "is_own",
    ]
    list_filter = ["client_type", "authentication", "fapi_profile", "is_own"]
    search_fields = ["name", "client_id"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    *("name", "client_id", "client_type", "consent_text"),
                    *("logo_now", "logo", "no_logo"),
                    *("is_own", "created", "updated"),
                ]
            },
        ),
        (
            _("What it may ask for"),
            {
                "fields": [
                    "redirect_uris",
                    "post_logout_redirect_uris",
                    "allowed_scopes",
                    "allowed_resources",
                    "resource",
                    "may_act_alone",
                ]
            },
        ),
        (
            _("How it learns that somebody logged out"),
            {
                "fields": [
                    "backchannel_logout_uri",
                    "frontchannel_logout_uri",
                    "frontchannel_logout_session_required",
                ]
            },
        ),
        (
            _("How it proves itself"),
            {"fields": ["authentication", "jwks", "jwks_uri"]},
        ),
        (
            _("What it is held to"),
            {
                "fields": [
                    "require_pkce",
                    "require_pushed_requests",
                    "require_dpop",
                    "tls_bound_tokens",
                    "fapi_profile",
                    "id_token_signed_response_alg",
                    "jwt_access_tokens",
                ]
            },
        ),
    ]
    readonly_fields = [
        "logo_now",
        "client_id",
        "client_type",
        "allowed_resources",
        "resource",
        "is_own",
        "created",
        "updated",
    ]

    def get_fieldsets(self, request: HttpRequest, obj: Application | None = None) -> Any:
        """Whether there is to be no logo is asked where there is one."""
        (title, first), *others = super().get_fieldsets(request, obj)
        has_logo = ClientLogo.objects.filter(application=obj).exists()
        shown = [name for name in first["fields"] if has_logo or name != "no_logo"]
        return [(title, {**first, "fields": shown}), *others]

    def save_model(self, request: HttpRequest, obj: Application, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        png = form.cleaned_data.get("logo")
        if png is not None or form.cleaned_data.get("no_logo"):
            keep_logo(application=obj, png=png)

    @admin.display(description=_("logo"))
    def logo_now(self, application: Application) -> str:
        kept = ClientLogo.objects.filter(application=application).first()
        if kept is None:
            return str(_("none"))
        return format_html('<img src="{}" width="48" alt="">', reverse("authz:logo", args=[kept.checksum]))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Application | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and obj.is_own)

    def has_delete_permission(self, request: HttpRequest, obj: Application | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and obj.is_own)


@admin.register(Consent)
class ConsentAdmin(ReadOnlyAdmin):
    """The evidence of each approval."""

    list_display = ["created", "kind", "state", "user", "application", "passkey", "decided"]
    list_filter = ["kind", "state", "created"]
    search_fields = ["user__email", "id"]
    date_hierarchy = "created"
    fields = [
        "id",
        "kind",
        "state",
        "application",
        "user",
        "details",
        "created",
        "decided",
        "address",
        "passkey",
        "nonce_hex",
        "approval_expires",
        "rp_id",
        "origin",
        "authenticator_data_hex",
        "client_data_text",
        "signature_hex",
    ]

    @admin.display(description=_("nonce"))
    def nonce_hex(self, consent: Consent) -> str:
        return bytes(consent.nonce or b"").hex()

    @admin.display(description=_("authenticator data"))
    def authenticator_data_hex(self, consent: Consent) -> str:
        return bytes(consent.authenticator_data or b"").hex()

    @admin.display(description=_("client data"))
    def client_data_text(self, consent: Consent) -> str:
        return format_html("<code>{}</code>", bytes(consent.client_data_json or b"").decode(errors="replace"))

    @admin.display(description=_("signature"))
    def signature_hex(self, consent: Consent) -> str:
        return bytes(consent.signature or b"").hex()


@admin.register(Session)
class SessionAdmin(ReadOnlyAdmin):
    list_display = ["user", "created", "seen", "expire_date"]
    search_fields = ["user__email"]
    exclude = ["session_key", "session_data"]
