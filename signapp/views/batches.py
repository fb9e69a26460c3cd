"""Several documents, one approval: choosing them, how far they are, and the approval."""

from contextlib import suppress
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from signapp import errors
from signapp.error_responses import Explanation, explain
from signapp.forms import BatchForm
from signapp.models import Batch
from signapp.services.batches import approving, gathering, progress
from signapp.services.envelopes import access
from signapp.views.batch_wording import describe_batch, describe_choice
from signapp.views.documents import Certificates, certificate_url, read_certificates
from signapp.views.pages import Signer, logged_in, render_page


def _page(batch_id: UUID) -> HttpResponse:
    return HttpResponseRedirect(reverse("signapp:batch", args=[batch_id]))


@require_http_methods(["GET", "HEAD", "POST"])
@logged_in
def new(request: HttpRequest, signer: Signer) -> HttpResponseBase:
    """Everything that waits for this person, or one envelope's part of it."""
    return _new_page(request, signer, None)


@require_http_methods(["GET", "HEAD", "POST"])
@logged_in
def of_envelope(request: HttpRequest, signer: Signer, envelope_id: UUID) -> HttpResponseBase:
    access.find_envelope(account=signer.account, envelope_id=envelope_id)
    return _new_page(request, signer, envelope_id)


def _new_page(request: HttpRequest, signer: Signer, envelope_id: UUID | None) -> HttpResponse:
    found = list(gathering.waiting(account=signer.account, envelope_id=envelope_id)[: gathering.MOST_DOCUMENTS])
    certificates = read_certificates(signer)
    lasting = [each for each in certificates.usable if not each["is_short_lived"]]
    form = BatchForm(
        request.POST or None,
        choices=[(each["id"], each["choice"]) for each in lasting],
        documents=[str(document.pk) for document in found],
    )
    if request.method == "POST" and form.is_valid():
        chosen = form.cleaned_data["credential_id"]
        batch = gathering.open_batch(
            account=signer.account,
            token=signer.token,
            document_ids=[UUID(each) for each in form.cleaned_data["document"]],
            credential_id=chosen,
            credential_name=next(each["name"] for each in lasting if each["id"] == chosen),
            reason=form.cleaned_data["reason"],
        )
        return _page(batch.pk)
    here = request.path
    picked = request.POST.getlist("document") if form.is_bound else None
    context = {
        "section": "documents",
        "account": signer.account,
        "documents": [describe_choice(document, picked) for document in found],
        "form": form,
        "only_certificate": lasting[0] if len(lasting) == 1 else None,
        "back": reverse("signapp:envelope", args=[envelope_id]) if envelope_id else reverse("signapp:documents"),
        **_needs(certificates, bool(lasting), here),
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render_page(request, "signapp/new_batch.html", context, status=status)


def _needs(certificates: Certificates, is_usable: bool, here: str) -> dict[str, Any]:
    return {
        "certificate_problem": certificates.problem,
        "needs_certificate": not is_usable and certificates.problem is None,
        "has_short_lived": bool(certificates.usable) and not is_usable,
        "certificate_url": certificate_url(here),
    }


@require_safe
@logged_in
def batch(request: HttpRequest, signer: Signer, batch_id: UUID) -> HttpResponseBase:
    found = gathering.find_batch(account=signer.account, batch_id=batch_id)
    with suppress(errors.ServiceUnavailableError):
        found = approving.settle_approval(account=signer.account, token=signer.token, batch=found)
    return _batch_page(request, signer, found)


def _batch_page(
    request: HttpRequest, signer: Signer, found: Batch, problem: Explanation | None = None, *, part: bool = False
) -> HttpResponse:
    context = {
        "section": "documents",
        "account": signer.account,
        "batch": describe_batch(found, gathering.list_documents(found)),
        "problem": problem,
    }
    template = "signapp/_batch.html" if part else "signapp/batch.html"
    status = problem.status if problem and not part else HTTPStatus.OK
    return render_page(request, template, context, status=status)


@require_POST
@logged_in
def advance(request: HttpRequest, signer: Signer, batch_id: UUID) -> HttpResponseBase:
    """A little more of the work; the page asks for it again and again. A fault that passes is told and tried again."""
    found = gathering.find_batch(account=signer.account, batch_id=batch_id)
    problem = None
    try:
        found = progress.advance(account=signer.account, token=signer.token, batch=found)
    except (errors.ServiceUnavailableError, errors.StorageFullError) as error:
        problem = explain(error)
    if "HX-Request" not in request.headers:
        return _page(batch_id)
    return _batch_page(request, signer, found, problem, part=True)


@require_POST
@logged_in
def approve(request: HttpRequest, signer: Signer, batch_id: UUID) -> HttpResponseBase:
    """To the approval page. An approval that was asked for before is then worth nothing."""
    try:
        location = approving.begin_approval(
            account=signer.account, token=signer.token, session=request.session, batch_id=batch_id
        )
    except (errors.BatchNotFoundError, errors.LoginRequiredError):
        raise
    except errors.SignappError as error:
        found = gathering.find_batch(account=signer.account, batch_id=batch_id)
        return _batch_page(request, signer, found, explain(error))
    return HttpResponseRedirect(location)


@require_POST
@logged_in
def cancel(request: HttpRequest, signer: Signer, batch_id: UUID) -> HttpResponseBase:
    gathering.cancel_batch(account=signer.account, token=signer.token, batch_id=batch_id)
    messages.success(request, _("Nothing was signed. The documents are as they were."))
    return HttpResponseRedirect(reverse("signapp:documents"))
