"""Forms of the pages. They check shapes; what may be signed, and by whom, is the services' matter."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

KEY_ALGORITHMS = (
    ("rsa-2048", _("RSA 2048: read by every program")),
    ("rsa-3072", _("RSA 3072")),
    ("ec-p256", _("ECDSA P-256: small and quick")),
    ("ec-p384", _("ECDSA P-384")),
)
MAX_REASON = 120


class UploadForm(forms.Form):
    """One PDF."""

    document = forms.FileField(
        label=_("Document"),
        max_length=1000,
        allow_empty_file=True,  # the gateway says what is wrong with it
        error_messages={"required": _("Choose a PDF first."), "missing": _("Choose a PDF first.")},
        widget=forms.FileInput(attrs={"accept": "application/pdf,.pdf"}),
    )


class SignatureForm(forms.Form):
    """With which certificate, and why. ``choices`` are the certificates that can sign now."""

    credential_id = forms.ChoiceField(
        label=_("Certificate"),
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Choose a certificate."),
            "invalid_choice": _("This certificate cannot sign now. Choose another one."),
        },
    )
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=MAX_REASON,
        help_text=_("Stands in the signature, for everyone to read."),
    )

    def __init__(self, *arguments: Any, choices: list[tuple[str, str]], **parameters: Any) -> None:
        super().__init__(*arguments, **parameters)
        field = self.fields["credential_id"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  (declared above; tells mypy)
        field.choices = choices
        if choices:
            self.initial.setdefault("credential_id", choices[0][0])

    def clean_reason(self) -> str:
        reason: str = self.cleaned_data["reason"]
        if not reason.isprintable():
            raise forms.ValidationError(_("Use letters, digits and spaces on one line."))
        return reason


class CertificateForm(forms.Form):
    """The kind of key of a new certificate."""

    key_algorithm = forms.ChoiceField(
        label=_("Kind of key"),
        choices=KEY_ALGORITHMS,
        widget=forms.RadioSelect,
        initial="rsa-2048",
        error_messages={"invalid_choice": _("Choose one of these kinds.")},
    )
