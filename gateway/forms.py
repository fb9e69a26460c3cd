"""What an operator gives in the admin: a certificate to trust, or a trusted list."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from gateway.clients.trusted_lists import LONGEST_LIST, fetch_trusted_list
from gateway.errors import OutboundRefusedError, TrustError
from gateway.models import TrustAnchor, TrustedList, WebhookEndpoint
from gateway.services.trust import read_anchor
from gateway.services.webhooks import refuse_address

if TYPE_CHECKING:
    _AnchorForm = forms.ModelForm[TrustAnchor]
    _ListForm = forms.ModelForm[TrustedList]
    _WebhookForm = forms.ModelForm[WebhookEndpoint]
else:
    _AnchorForm = _ListForm = _WebhookForm = forms.ModelForm

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


class WebhookEndpointForm(_WebhookForm):
    """An address of a client's, and what it is told of."""

    events = forms.MultipleChoiceField(
        label=_("Events"), choices=WebhookEndpoint.Event.choices, widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = WebhookEndpoint
        fields = ["client", "url", "events", "active"]

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        try:
            refuse_address(url=url)
        except OutboundRefusedError as error:
            raise ValidationError(str(error)) from None
        return url
