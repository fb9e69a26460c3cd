"""Forms of the account pages. They check shapes; who somebody is is the services' matter."""

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.utils.translation import gettext_lazy as _

from authz.models import User

MAX_PASSWORD = 256


class PasswordForm(forms.Form):
    """A new password, compared and kept exactly as typed."""

    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=MAX_PASSWORD,
        help_text=_("At least 12 characters, kept exactly as you type them. A few words in a row work well."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def build_user(self) -> User:
        """Whom the password must not resemble."""
        return User()

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if password := cleaned.get("password"):
            try:
                validate_password(password, self.build_user())
            except forms.ValidationError as error:
                self.add_error("password", error)
        return cleaned


class SignUpForm(PasswordForm):
    """The first step of a new account."""

    name = forms.CharField(
        label=_("Your name"),
        max_length=64,
        help_text=_("As it should stand in your certificate."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    email = forms.EmailField(
        label=_("E-mail address"),
        max_length=254,
        error_messages={"invalid": _("Enter an e-mail address like name@example.org.")},
        widget=forms.EmailInput(attrs={"autocomplete": "username", "inputmode": "email"}),
    )

    field_order = ["name", "email", "password"]

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if not name.isprintable():
            raise forms.ValidationError(_("Use letters, digits and spaces."))
        return name

    def clean_email(self) -> str:
        return User.objects.normalize_email(self.cleaned_data["email"])

    def build_user(self) -> User:
        return User(email=self.cleaned_data.get("email", ""), name=self.cleaned_data.get("name", ""))


class LinkedSignUpForm(SignUpForm):
    """The same where the address is known by the link that it was mailed to."""

    email = None  # type: ignore[assignment]  # Django's way of leaving a field out

    def __init__(self, *args: Any, for_email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.for_email = for_email

    def build_user(self) -> User:
        return User(email=self.for_email, name=self.cleaned_data.get("name", ""))


class NewPasswordForm(PasswordForm):
    """A new password of an account that is there."""

    def __init__(self, *args: Any, for_user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.for_user = for_user
        self.fields["password"].label = _("New password")

    def build_user(self) -> User:
        return self.for_user


class ChangePasswordForm(NewPasswordForm):
    """The same, with the one that it takes the place of."""

    current = forms.CharField(
        label=_("Current password"),
        strip=False,
        max_length=MAX_PASSWORD,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    field_order = ["current", "password"]


class EmailForm(forms.Form):
    """An address, and whether there is an account is not this form's matter."""

    email = forms.EmailField(
        label=_("E-mail address"),
        max_length=254,
        error_messages={"invalid": _("Enter an e-mail address like name@example.org.")},
        widget=forms.EmailInput(attrs={"autocomplete": "username", "inputmode": "email"}),
    )


class ChangeAddressForm(EmailForm):
    """Another address for an account, and the password."""

    password = forms.CharField(
        label=_("Your password"),
        strip=False,
        max_length=MAX_PASSWORD,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = _("New e-mail address")
        self.fields["email"].widget.attrs["autocomplete"] = "email"


class CodeForm(forms.Form):
    """A printed recovery code."""

    code = forms.CharField(
        label=_("Recovery code"),
        max_length=64,
        help_text=_("Six groups of four characters. Spaces, dashes and small letters do not matter."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}),
    )


class SecondFactorForm(CodeForm):
    """A passkey's answer or a recovery code."""

    response = forms.CharField(max_length=20_000, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].required = False


class LoginForm(forms.Form):
    """The first step of a login."""

    email = forms.CharField(
        label=_("E-mail address"),
        max_length=254,
        # "webauthn" has the browser offer this site's passkeys here.
        widget=forms.EmailInput(attrs={"autocomplete": "username webauthn", "inputmode": "email"}),
    )
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=MAX_PASSWORD,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class ApprovalForm(forms.Form):
    """Password and passkey, given together for one approval."""

    password = forms.CharField(
        label=_("Your password"),
        strip=False,
        max_length=MAX_PASSWORD,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    reference = forms.CharField(max_length=64)
    # Which passkey is to be bound, where the approval is about that.
    passkey = forms.IntegerField(required=False)
    response = forms.CharField(max_length=20_000)


class PasskeyForm(forms.Form):
    """A passkey's answer, as the page's script posts it."""

    response = forms.CharField(max_length=20_000)
    name = forms.CharField(
        label=_("Name"),
        max_length=60,
        required=False,
        help_text=_("So that you know it again: “Work laptop”, “Blue key”."),
    )
