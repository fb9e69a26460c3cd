"""An envelope before it is sent: its first document, then its people and words, then off."""

from http import HTTPStatus
from pathlib import PurePath
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from signapp import errors
from signapp.error_responses import explain
from signapp.forms import EnvelopeForm, NewEnvelopeForm, RecipientForm
from signapp.models import Envelope, EnvelopeDocument
from signapp.services.envelopes import access, drafts, filing, notices
from signapp.views.envelope_wording import describe_part, describe_recipient
from signapp.views.fields import count_fields
from signapp.views.pages import Signer, logged_in, render_page
from signapp.views.wording import visible_text, write_size
from signapp.wire import clean_file_name

_REFUSED = (
    errors.DocumentRefusedError,
    errors.TooManyPasswordsError,
    errors.ServiceUnavailableError,
    errors.StorageFullError,
    errors.EnvelopeFullError,
)


def _edit_url(envelope_id: UUID) -> str:
    return reverse("signapp:edit_envelope", args=[envelope_id])


def _limits() -> dict[str, object]:
    return {"max_bytes": settings.MAX_DOCUMENT_BYTES, "max_label": write_size(settings.MAX_DOCUMENT_BYTES)}


@require_http_methods(["GET", "HEAD", "POST"])
@logged_in
def new(request: HttpRequest, signer: Signer) -> HttpResponseBase:
    """An envelope begins with a document."""
    form = NewEnvelopeForm(request.POST, request.FILES) if request.method == "POST" else NewEnvelopeForm()
    if request.method == "POST" and form.is_valid():
        title = visible_text(PurePath(clean_file_name(form.cleaned_data["document"].name)).stem)[:120]
        envelope = drafts.create_draft(account=signer.account, title=title)
        problem = _add(request, signer, envelope.pk, form)
        if problem is None:
            return _went(request, _edit_url(envelope.pk))
        drafts.delete_draft(account=signer.account, envelope_id=envelope.pk)
        if _wants_json(request):
            return problem
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    context = {"section": "envelopes", "account": signer.account, "form": form, **_limits()}
    return render_page(request, "signapp/new_envelope.html", context, status=status)


def _wants_json(request: HttpRequest) -> bool:
    return "application/json" in request.headers.get("Accept", "")


def _went(request: HttpRequest, location: str) -> HttpResponse:
    if _wants_json(request):
        return JsonResponse({"location": location}, status=HTTPStatus.CREATED)
    return HttpResponseRedirect(location)


def _add(request: HttpRequest, signer: Signer, envelope_id: UUID, form: NewEnvelopeForm) -> JsonResponse | None:
    """What refuses the document, which then stands beside the form's field too."""
    upload = form.cleaned_data["document"]
    try:
        drafts.add_document(
            account=signer.account,
            token=signer.token,
            envelope_id=envelope_id,
            upload=upload,
            name=upload.name,
            size=upload.size,
            **form.wish,
        )
    except _REFUSED as error:
        explanation = explain(error)
        form.add_error("document", explanation.sentence)
        form.refusal = explanation.code
        body = {"error": explanation.code, "error_description": explanation.sentence}
        return JsonResponse(body, status=explanation.status)
    return None


@require_http_methods(["GET", "HEAD", "POST"])
@logged_in
def edit(request: HttpRequest, signer: Signer, envelope_id: UUID) -> HttpResponseBase:
    """The draft; posted, it is sent."""
    found = access.find_draft(account=signer.account, envelope_id=envelope_id)
    if request.method != "POST":
        return edit_page(request, signer, found)
    form = EnvelopeForm(request.POST)
    if not form.is_valid():
        return edit_page(request, signer, found, form=form)
    try:
        sent = drafts.send_envelope(
            account=signer.account, envelope_id=envelope_id, now=timezone.now(), **form.cleaned_data
        )
    except errors.EnvelopeIncompleteError as error:
        form.add_error(None, explain(error).sentence)
        return edit_page(request, signer, found, form=form)
    notices.ring()
    count = sent.recipients.count()
    words = ngettext("Sent to %(count)d person.", "Sent to %(count)d people.", count)
    messages.success(request, words % {"count": count})
    return HttpResponseRedirect(reverse("signapp:envelope", args=[sent.pk]))


def edit_page(
    request: HttpRequest,
    signer: Signer,
    envelope: Envelope,
    *,
    form: EnvelopeForm | None = None,
    upload: NewEnvelopeForm | None = None,
    person: RecipientForm | None = None,
) -> HttpResponse:
    people = list(envelope.recipients.all())
    first = {"order": max((each.order for each in people), default=0) + 1}
    if not people:
        first |= {"name": "", "email": ""}
    count = len(people)
    context = {
        "section": "envelopes",
        "account": signer.account,
        "envelope": {"id": envelope.pk, "title": visible_text(envelope.title)},
        "form": form or EnvelopeForm(initial={"title": envelope.title}),
        "upload": upload or NewEnvelopeForm(auto_id="upload_%s"),
        "person": person or RecipientForm(auto_id="person_%s", initial=first),
        "parts": [_part_of_draft(part) for part in envelope.documents.all()],
        "people": [describe_recipient(each) for each in people],
        "send_label": ngettext("Send to %(count)d person", "Send to %(count)d people", count) % {"count": count},
        **_limits(),
    }
    failed = any(each is not None and each.errors for each in (form, upload, person))
    status = HTTPStatus.UNPROCESSABLE_ENTITY if failed else HTTPStatus.OK
    return render_page(request, "signapp/edit_envelope.html", context, status=status)


def _part_of_draft(part: EnvelopeDocument) -> dict[str, object]:
    place = {
        "href": reverse("signapp:place_fields", args=[part.envelope_id, part.pk]),
        "link_label": _("Place fields"),
    }
    described = describe_part(part)
    return {**described, **place, "meta": f"{described['meta']} · {count_fields(part)}"}


@require_POST
@logged_in
def add_document(request: HttpRequest, signer: Signer, envelope_id: UUID) -> HttpResponseBase:
    found = access.find_draft(account=signer.account, envelope_id=envelope_id)
    form = NewEnvelopeForm(request.POST, request.FILES, auto_id="upload_%s")
    problem = _add(request, signer, envelope_id, form) if form.is_valid() else None
    if problem is not None and _wants_json(request):
        return problem
    if form.errors:
        return edit_page(request, signer, found, upload=form)
    return _went(request, _edit_url(envelope_id))


@require_POST
@logged_in
def remove_document(request: HttpRequest, signer: Signer, envelope_id: UUID, part_id: UUID) -> HttpResponseBase:
    access.find_part(account=signer.account, envelope_id=envelope_id, part_id=part_id)
    drafts.remove_document(account=signer.account, envelope_id=envelope_id, part_id=part_id)
    return HttpResponseRedirect(_edit_url(envelope_id))


@require_POST
@logged_in
def add_recipient(request: HttpRequest, signer: Signer, envelope_id: UUID) -> HttpResponseBase:
    found = access.find_draft(account=signer.account, envelope_id=envelope_id)
    form = RecipientForm(request.POST, auto_id="person_%s")
    if form.is_valid():
        try:
            drafts.add_recipient(account=signer.account, envelope_id=envelope_id, **form.cleaned_data)
        except (errors.RecipientTwiceError, errors.EnvelopeFullError) as error:
            form.add_error("email", explain(error).sentence)
    if form.errors:
        return edit_page(request, signer, found, person=form)
    return HttpResponseRedirect(f"{_edit_url(envelope_id)}#people")


@require_POST
@logged_in
def remove_recipient(request: HttpRequest, signer: Signer, envelope_id: UUID, recipient_id: UUID) -> HttpResponseBase:
    drafts.remove_recipient(account=signer.account, envelope_id=envelope_id, recipient_id=recipient_id)
    return HttpResponseRedirect(f"{_edit_url(envelope_id)}#people")


@require_POST
@logged_in
def discard(request: HttpRequest, signer: Signer, envelope_id: UUID) -> HttpResponseBase:
    access.find_draft(account=signer.account, envelope_id=envelope_id)
    filing.bin_envelope(account=signer.account, envelope_id=envelope_id)
    request.session["undo"] = [str(envelope_id)]
    return HttpResponseRedirect(reverse("signapp:envelopes"))
