"""What an operator gives in the admin: a certificate to trust, or a trusted list."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from gateway.clients.trusted_lists import LONGEST_LIST, fetch_trusted_list
from gateway.errors import TrustError
from gateway.models import TrustAnchor, TrustedList
from gateway.services.trust import read_anchor

if TYPE_CHECKING:
    _AnchorForm = forms.ModelForm[TrustAnchor]
    _ListForm = forms.ModelForm[TrustedList]
else:
    _AnchorForm = _ListForm = forms.ModelForm

_LONGEST_PEM = 64 * 1024


class TrustAnchorForm(_AnchorForm):
    """A new anchor; ``cleaned_data["pem"]`` holds the file's bytes, which are one certificate that can be one."""

    pem = forms.FileField(
        label=_("Certificate"), help_text=_("One PEM file with the certificate of one authority, not expired.")
    )

    class Meta:
        model = TrustAnchor
        fields = ["note"]

    def clean_pem(self) -> bytes:
        pem: bytes = self.cleaned_data["pem"].read(_LONGEST_PEM + 1)
        try:
            read_anchor(pem=pem)
        except TrustError as error:
            raise ValidationError(str(error)) from None
        return pem


class TrustedListForm(_ListForm):
    """A list as a file or an address; ``cleaned_data["xml"]`` holds its bytes, not believed yet."""

    file = forms.FileField(label=_("File"), required=False)
    url = forms.CharField(label=_("Address"), required=False, max_length=1024, help_text=_("https:// alone."))

    class Meta:
        model = TrustedList
        fields: list[str] = []

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        file, url = given.get("file"), str(given.get("url") or "")
        if bool(file) == bool(url):
            raise ValidationError(_("Give a file or an address."))
        try:
            given["xml"] = file.read(LONGEST_LIST + 1) if file else fetch_trusted_list(url=url)
        except TrustError as error:
            raise ValidationError(str(error)) from None
        given["source"] = file.name if file else url
        return given
