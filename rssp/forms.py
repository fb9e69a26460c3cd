"""What operators type."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from rssp.algorithms import KEY_ALGORITHMS
from rssp.errors import ExplicitModeError
from rssp.services.creating_explicit import DEFAULT_MULTISIGN
from rssp.services.explicit import LONGEST_PIN, NewObject, verify_objects, verify_pin


class ExplicitCredentialForm(forms.Form):
    """A credential in explicit mode; secrets are never shown again, nor sent back with a mistake."""

    common_name = forms.CharField(label=_("Name in the certificate"), max_length=64)
    email = forms.EmailField(
        label=_("E-mail address for one-time passwords; the certificate does not carry it"),
        max_length=254,
        required=False,
    )
    key_algorithm = forms.ChoiceField(label=_("Key"), choices=[(name, name) for name in KEY_ALGORITHMS])
    pin = forms.CharField(
        label=_("PIN"), max_length=LONGEST_PIN, required=False, strip=False, widget=forms.PasswordInput()
    )
    totp = forms.CharField(
        label=_("Secret of a device that shows one-time passwords (base32): the object OTP"),
        max_length=256,
        required=False,
        widget=forms.PasswordInput(),
    )
    email_otp = forms.BooleanField(label=_("One-time passwords by e-mail: the object MAIL"), required=False)
    passkey = forms.BooleanField(label=_("The user's passkey, out of band: the object Passkey"), required=False)
    is_implicit = forms.BooleanField(label=_("Implicit: the passkey alone"), required=False)
    expression = forms.CharField(
        label=_("Which of them open it (AND, OR, XOR and parentheses; empty: all)"), max_length=255, required=False
    )
    scal = forms.ChoiceField(
        label=_("SCAL"), choices=[("2", _("2: bound to hashes")), ("1", _("1: any hash"))], initial="2"
    )
    multisign = forms.IntegerField(
        label=_("Most signatures of one authorization"), min_value=1, max_value=DEFAULT_MULTISIGN, initial=1
    )
    reason = forms.CharField(label=_("Reason"), max_length=150)

    def clean(self) -> dict[str, Any]:
        """``objects`` and ``expression`` are as the service takes them."""
        given = super().clean() or {}
        objects = [
            NewObject(name, kind, given[field])
            for name, kind, field in (("PIN", "pin", "pin"), ("OTP", "totp", "totp"))
            if given.get(field)
        ]
        if given.get("email_otp"):
            objects.append(NewObject("MAIL", "email", given.get("email") or ""))
        if given.get("passkey") or given.get("is_implicit"):
            objects.append(NewObject("Passkey", "passkey"))
        try:
            verify_objects(objects=objects, expression=given.get("expression") or "")
        except ExplicitModeError as error:
            raise ValidationError(str(error)) from error
        return given | {"objects": objects}


class PinForm(forms.Form):
    """A new PIN for a credential that has one."""

    pin = forms.CharField(label=_("New PIN"), max_length=LONGEST_PIN, strip=False, widget=forms.PasswordInput())
    reason = forms.CharField(label=_("Reason"), max_length=150)

    def clean_pin(self) -> str:
        pin = str(self.cleaned_data["pin"])
        try:
            verify_pin(pin=pin)
        except ExplicitModeError as error:
            raise ValidationError(str(error)) from error
        return pin
