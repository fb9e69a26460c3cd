"""Forms of the pages. They check shapes; what may be signed, and by whom, is the services' matter."""

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from signapp.models import Field, Look, Recipient
from signapp.services.envelopes.copying import Named

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
    password = forms.CharField(
        label=_("Password of the document"),
        required=False,
        strip=False,
        max_length=127,
        help_text=_("It is kept encrypted beside the document, to sign it, and deleted with it."),
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    # What a button says that is offered once the gateway says that it helps.
    repair = forms.BooleanField(required=False, widget=forms.HiddenInput)

    # The code of the refusal that was met, which decides what is asked for.
    refusal = ""

    @property
    def wish(self) -> dict[str, Any]:
        """How the document is to be kept."""
        return {name: self.cleaned_data[name] for name in ("password", "repair")}

    def asks_password(self) -> bool:
        return self.refusal in {"password_required", "password_wrong", "signing_not_permitted"}

    def asks_repair(self) -> bool:
        return self.refusal == "repairable_pdf"


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

    def __init__(
        self,
        *arguments: Any,
        choices: list[tuple[str, str]],
        fields: Sequence[Field] = (),
        proposed: Mapping[UUID, str] | None = None,
        **parameters: Any,
    ) -> None:
        """``fields`` are those of an envelope's document that are filled in first; ``proposed`` what stands in them."""
        super().__init__(*arguments, **parameters)
        self.placed = {f"field-{each.pk}": each for each in fields}
        for name, each in self.placed.items():
            self.fields[name] = _input_for(each)
            self.initial[name] = (proposed or {}).get(each.pk, each.value)
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

    @property
    def values(self) -> dict[UUID, str]:
        """What was filled in, as `signapp.models.Field` keeps it."""
        return {each.pk: _kept(self.cleaned_data[name]) for name, each in self.placed.items()}

    @property
    def unknown(self) -> set[str]:
        """Names of fields that are none of this signer's."""
        return {name for name in self.data if name.startswith("field-")} - set(self.placed)


def _kept(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    return value.isoformat() if isinstance(value, date) else str(value or "")


def _input_for(placed: Field) -> forms.Field:
    """The control of one field. It belongs to the form that prepares, wherever on the page it stands."""
    kind = Field.Kind(placed.kind)
    common: dict[str, Any] = {"label": placed.label or kind.label, "required": placed.is_required}
    missing = _("Fill in “%(label)s”.") % {"label": common["label"]}
    if kind in {Field.Kind.SIGNATURE, Field.Kind.INITIALS, Field.Kind.CHECKBOX}:
        common["widget"] = forms.CheckboxInput(attrs={"form": "prepare"})
        return forms.BooleanField(**common, error_messages={"required": missing})
    if kind == Field.Kind.DATE:
        common["widget"] = forms.DateInput(attrs={"type": "date", "form": "prepare"}, format="%Y-%m-%d")
        wrong: dict[str, Any] = {"required": missing, "invalid": _("Write the day as year, month, day: 2026-11-25.")}
        days = [MinValueValidator(date(1900, 1, 1)), MaxValueValidator(date(2200, 12, 31))]
        return forms.DateField(**common, input_formats=["%Y-%m-%d"], validators=days, error_messages=wrong)
    common["widget"] = forms.TextInput(attrs={"form": "prepare", "autocomplete": "off"})
    return forms.CharField(**common, max_length=500, validators=[refuse_hidden], error_messages={"required": missing})


class BatchForm(SignatureForm):
    """Which documents, of those that wait; then as for one."""

    document = forms.MultipleChoiceField(
        label=_("Documents"),
        error_messages={
            "required": _("Choose the documents that you want to sign."),
            "invalid_choice": _("One of these documents does not wait for you any more. Choose again."),
        },
    )

    def __init__(
        self, *arguments: Any, choices: list[tuple[str, str]], documents: list[str], **parameters: Any
    ) -> None:
        super().__init__(*arguments, choices=choices, **parameters)
        field = self.fields["document"]
        assert isinstance(field, forms.MultipleChoiceField)  # noqa: S101  (declared above; tells mypy)
        field.choices = [(each, each) for each in documents]


class CertificateForm(forms.Form):
    """The kind of key of a new certificate."""

    key_algorithm = forms.ChoiceField(
        label=_("Kind of key"),
        choices=KEY_ALGORITHMS,
        widget=forms.RadioSelect,
        initial="rsa-2048",
        error_messages={"invalid_choice": _("Choose one of these kinds.")},
    )


def one_line(value: str) -> str:
    """Goes into subjects of messages and beside other people's words: nothing that hides or turns text round."""
    if not value.isprintable():
        raise forms.ValidationError(_("Use letters, digits and spaces on one line."))
    return value


def refuse_hidden(value: str) -> None:
    """The same, as a validator."""
    one_line(value)


class NewEnvelopeForm(UploadForm):
    """The first document of an envelope; its name becomes the title."""


class EnvelopeForm(forms.Form):
    """What everybody reads who gets the envelope."""

    title = forms.CharField(label=_("Title"), max_length=120, help_text=_("Stands in the subject of each e-mail."))
    message = forms.CharField(
        label=_("Message"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 4})
    )
    due_on = forms.DateField(
        label=_("Wanted by"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("Signing stays possible until the envelope expires."),
    )

    may_delegate = forms.BooleanField(
        label=_("People may hand their place to somebody else"),
        required=False,
        help_text=_("You are told, and the activity says who did so, to whom and why."),
    )

    def clean_title(self) -> str:
        return one_line(self.cleaned_data["title"])

    def clean_message(self) -> str:
        message: str = self.cleaned_data["message"].replace("\r\n", "\n")
        if any(unicodedata.category(char) in {"Cc", "Cf"} and char not in "\n\t" for char in message):
            raise forms.ValidationError(_("This text holds characters that cannot be seen. Type it anew."))
        return message

    def clean_due_on(self) -> date | None:
        due_on: date | None = self.cleaned_data["due_on"]
        today = timezone.now().date()
        if due_on and not today <= due_on <= today + timedelta(days=366):
            raise forms.ValidationError(_("Choose a day from today to a year ahead."))
        return due_on


class RecipientForm(forms.Form):
    """Somebody, what they do, and when they are asked."""

    name = forms.CharField(label=_("Name"), max_length=120)
    email = forms.EmailField(label=_("E-mail address"), max_length=254)
    role = forms.ChoiceField(
        label=_("Role"), choices=[("signer", _("Signs")), ("approver", _("Approves")), ("copy", _("Gets a copy"))]
    )
    order = forms.IntegerField(
        label=_("Place in the order"),
        min_value=1,
        max_value=20,
        initial=1,
        help_text=_("People with the same number are asked at the same time, after all lower numbers are done."),
    )

    def clean_name(self) -> str:
        return one_line(self.cleaned_data["name"])


class DelegateForm(forms.Form):
    """Who acts in one's place, and why; everybody in the envelope reads it."""

    name = forms.CharField(label=_("Name"), max_length=120)
    email = forms.EmailField(label=_("E-mail address"), max_length=254)
    reason = forms.CharField(
        label=_("Reason"),
        max_length=300,
        help_text=_("The sender and everybody in the envelope can read it."),
        error_messages={"required": _("Say why, so that the others know.")},
    )

    def clean_name(self) -> str:
        return one_line(self.cleaned_data["name"])

    def clean_reason(self) -> str:
        return one_line(self.cleaned_data["reason"])


class BulkForm(EnvelopeForm):
    """A list of people. ``places``: identifiers of the draft's people, and what they are called."""

    document = forms.FileField(
        label=_("List of people"),
        max_length=1000,
        allow_empty_file=True,  # told with the other faults
        help_text=_("A CSV file in UTF-8, with a header line."),
        error_messages={"required": _("Choose a CSV file first."), "missing": _("Choose a CSV file first.")},
        widget=forms.FileInput(attrs={"accept": "text/csv,.csv,.txt"}),
    )
    place = forms.ChoiceField(label=_("Each person of the list"), required=False, widget=forms.RadioSelect)
    field_order = ("document", "place", "title", "message", "due_on", "may_delegate")

    def __init__(self, *arguments: Any, places: list[tuple[str, str]], **parameters: Any) -> None:
        super().__init__(*arguments, **parameters)
        field = self.fields["place"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  (declared above; tells mypy)
        field.choices = [("", _("Signs first, before everybody else")), *places]


class TemplateForm(forms.Form):
    """A template's title, and for each person of the draft the role that stands for them."""

    title = forms.CharField(label=_("Title"), max_length=120, validators=[refuse_hidden])

    def __init__(self, *arguments: Any, people: Sequence[Recipient], **parameters: Any) -> None:
        super().__init__(*arguments, **parameters)
        self._people = people
        for index, each in enumerate(people, start=1):
            label = _("Role of %(name)s") % {"name": each.name}
            self.fields[f"role-{each.pk}"] = forms.CharField(label=label, max_length=120, validators=[refuse_hidden])
            self.initial[f"role-{each.pk}"] = _("Person %(number)d") % {"number": index}

    @property
    def roles(self) -> dict[UUID, str]:
        return {each.pk: self.cleaned_data[f"role-{each.pk}"] for each in self._people}


class PeopleForm(forms.Form):
    """Who takes each role of a template."""

    def __init__(self, *arguments: Any, roles: Sequence[Recipient], **parameters: Any) -> None:
        super().__init__(*arguments, **parameters)
        self._roles = roles
        for each in roles:
            self.fields[f"name-{each.pk}"] = forms.CharField(
                label=_("Name"), max_length=120, validators=[refuse_hidden]
            )
            self.fields[f"email-{each.pk}"] = forms.EmailField(label=_("E-mail address"), max_length=254)

    @property
    def people(self) -> dict[UUID, Named]:
        given = self.cleaned_data
        return {each.pk: Named(given[f"name-{each.pk}"], given[f"email-{each.pk}"]) for each in self._roles}


class DirectLinkForm(forms.Form):
    """How long a template's link may be used, and how often."""

    days = forms.IntegerField(
        label=_("Days"), min_value=1, max_value=365, initial=30, help_text=_("After them the link opens nothing.")
    )
    most_uses = forms.IntegerField(
        label=_("People"),
        min_value=1,
        max_value=10_000,
        initial=100,
        help_text=_("Each gets an envelope. After so many the link opens nothing."),
    )


class StartForm(forms.Form):
    """Who opens a direct link."""

    name = forms.CharField(
        label=_("Your name"),
        max_length=120,
        validators=[refuse_hidden],
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    email = forms.EmailField(
        label=_("Your e-mail address"),
        max_length=254,
        help_text=_("We send you a link that opens the document. It works with the account of this address alone."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )


class LookForm(forms.Form):
    """A picture of somebody's signature or initials, however it was made."""

    kind = forms.ChoiceField(choices=Look.Kind.choices)
    style = forms.ChoiceField(choices=Look.Style.choices)
    picture = forms.FileField(
        max_length=1000,
        allow_empty_file=True,  # what reads pictures says what is wrong with it
        error_messages={"required": _("Choose a picture first."), "missing": _("Choose a picture first.")},
    )


class PlacedFieldForm(forms.Form):
    """A field as the editor sends it; where it may lie is the service's matter."""

    recipient = forms.UUIDField()
    kind = forms.ChoiceField(choices=Field.Kind.choices)
    label = forms.CharField(max_length=80, required=False)
    page = forms.IntegerField(min_value=1, max_value=100_000)
    left = forms.FloatField()
    bottom = forms.FloatField()
    right = forms.FloatField()
    top = forms.FloatField()
    required = forms.BooleanField(required=False)

    def clean_label(self) -> str:
        return one_line(self.cleaned_data["label"])


class ReasonForm(forms.Form):
    """Why not; everybody in the envelope reads it."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=500,
        help_text=_("Everybody who was asked can read it."),
        error_messages={"required": _("Say why, so that the others know.")},
    )

    def clean_reason(self) -> str:
        return one_line(self.cleaned_data["reason"])
