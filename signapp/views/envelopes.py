"""One envelope, under way or over, and what can be done with it."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from signapp import errors
from signapp.error_responses import explain
from signapp.forms import DelegateForm, ReasonForm
from signapp.services.batches import gathering
from signapp.services.envelopes import access, answers, delegation, filing, notices, retention
from signapp.views.envelope_wording import describe_envelope, describe_event, describe_part, describe_recipient
from signapp.views.pages import Signer, logged_in, render_page


@require_safe
@logged_in
def envelope(request: HttpRequest, signer: Signer, envelope_id: UUID) -> HttpResponseBase:
    found = access.find_envelope(account=signer.account, envelope_id=envelope_id)
    if found.state == "draft":
        return HttpResponseRedirect(reverse("signapp:edit_envelope", args=[found.pk]))
    mine = access.own_recipient(signer.account, found)
    turns = {turn.part_id: turn for turn in mine.turns.all()} if mine else {}
    is_open = found.state == "sent"
    my_turn = is_open and mine is not None and mine.state == "active"
    together = gathering.waiting(account=signer.account, envelope_id=found.pk).count() if my_turn else 0
    context = {
        "section": "envelopes",
        "account": signer.account,
        "envelope": {
            **describe_envelope(found, signer.account),
            "message": found.message,
            "due_on": found.due_on,
            "expires_at": found.expires_at if is_open else None,
            "reason": found.reason,
            "state": found.state,
        },
        "parts": [describe_part(part, turns.get(part.pk) if is_open else None) for part in found.documents.all()],
        "people": [describe_recipient(person) for person in found.recipients.all()],
        "events": [describe_event(event) for event in found.events.all()],
        "can_cancel": is_open and access.is_sender(signer.account, found),
        "can_approve": my_turn and mine is not None and mine.role == "approver",
        "can_sign": my_turn and mine is not None and mine.role == "signer",
        "together": together if together > 1 else 0,
        "can_decline": my_turn,
        "can_delegate": my_turn and found.may_delegate,
        "deletion_date": retention.deletion_date(found),
        "is_binned": filing.is_binned(account=signer.account, envelope=found),
    }
    return render_page(request, "signapp/envelope.html", context)


def _page(envelope_id: UUID) -> HttpResponse:
    return HttpResponseRedirect(reverse("signapp:envelope", args=[envelope_id]))


@require_POST
@logged_in
def approve(request: HttpRequest, signer: Signer, envelope_id: UUID) -> HttpResponseBase:
    answers.approve_envelope(account=signer.account, envelope_id=envelope_id)
    notices.ring()
    messages.success(request, _("Your approval is written down."))
    return _page(envelope_id)


@require_http_methods(["GET", "HEAD", "POST"])
@logged_in
def decline(request: HttpRequest, signer: Signer, envelope_id: UUID) -> HttpResponseBase:
    found = access.find_envelope(account=signer.account, envelope_id=envelope_id)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        answers.decline_envelope(account=signer.account, envelope_id=envelope_id, reason=form.cleaned_data["reason"])
        notices.ring()
        messages.success(request, _("You declined. The sender is told why."))
        return _page(envelope_id)
    words = {
        "title": _("Decline this envelope?"),
        "sentence": _("It ends for everybody, and nobody can sign it any more. That cannot be undone."),
        "label": _("Decline"),
    }
    context = {"envelope": describe_envelope(found, signer.account), "form": form, **words}
    return render_page(request, "signapp/end_envelope.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@logged_in
def cancel(request: HttpRequest, signer: Signer, envelope_id: UUID) -> HttpResponseBase:
    found = access.find_own(account=signer.account, envelope_id=envelope_id)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        answers.cancel_envelope(account=signer.account, envelope_id=envelope_id, reason=form.cleaned_data["reason"])
        notices.ring()
        messages.success(request, _("The envelope is cancelled."))
        return _page(envelope_id)
    words = {
        "title": _("Cancel this envelope?"),
        "sentence": _("Nobody can sign it any more. Signatures that were made stay in the documents."),
        "label": _("Cancel the envelope"),
    }
    context = {"envelope": describe_envelope(found, signer.account), "form": form, **words}
    return render_page(request, "signapp/end_envelope.html", context, status=422 if form.errors else 200)


@require_POST
@logged_in
def remind(request: HttpRequest, signer: Signer, envelope_id: UUID) -> HttpResponseBase:
    """A new link to everybody whose turn it is."""
    try:
        count = answers.remind(account=signer.account, envelope_id=envelope_id)
    except errors.RemindedLatelyError as error:
        messages.info(request, explain(error).sentence)
        return _page(envelope_id)
    notices.ring()
    messages.success(
        request,
        ngettext("%(count)d reminder is on its way.", "%(count)d reminders are on their way.", count)
        % {"count": count},
    )
    return _page(envelope_id)


@require_POST
@logged_in
def resend(request: HttpRequest, signer: Signer, envelope_id: UUID, recipient_id: UUID) -> HttpResponseBase:
    """A new link to one person."""
    try:
        answers.resend(account=signer.account, envelope_id=envelope_id, recipient_id=recipient_id)
    except errors.RemindedLatelyError as error:
        messages.info(request, explain(error).sentence)
        return _page(envelope_id)
    notices.ring()
    messages.success(request, _("A new link is on its way. Older ones do not open any more."))
    return _page(envelope_id)


@require_http_methods(["GET", "HEAD", "POST"])
@logged_in
def delegate(request: HttpRequest, signer: Signer, envelope_id: UUID) -> HttpResponseBase:
    """Hands one's own place to somebody else."""
    found = access.find_envelope(account=signer.account, envelope_id=envelope_id)
    form = DelegateForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            delegation.delegate(account=signer.account, envelope_id=envelope_id, **form.cleaned_data)
        except (errors.RecipientTwiceError, errors.EnvelopeFullError) as error:
            form.add_error("email", explain(error).sentence)
        else:
            notices.ring()
            messages.success(request, _("Your place is handed over. Somebody else is asked now."))
            return HttpResponseRedirect(reverse("signapp:envelopes"))
    context = {"envelope": describe_envelope(found, signer.account), "form": form}
    return render_page(request, "signapp/delegate.html", context, status=422 if form.errors else 200)
