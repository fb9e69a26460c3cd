"""A template's link, for its owner, and what everybody sees who opens it."""

from http import HTTPStatus
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from signapp.forms import DirectLinkForm, StartForm
from signapp.services import logins
from signapp.services.envelopes import direct_links as service
from signapp.services.envelopes import notices
from signapp.views.pages import Signer, answered, logged_in, render_page
from signapp.views.wording import visible_text


@require_http_methods(["GET", "HEAD", "POST"])
@logged_in
def link(request: HttpRequest, signer: Signer, template_id: UUID) -> HttpResponseBase:
    """Shows it, and makes one in its place."""
    template, found = service.find_link(account=signer.account, template_id=template_id)
    form = DirectLinkForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        service.create_link(account=signer.account, template_id=template_id, **form.cleaned_data)
        messages.success(request, _("The link works now."))
        return HttpResponseRedirect(reverse("signapp:direct_link", args=[template_id]))
    context = {
        "section": "envelopes",
        "account": signer.account,
        "template": {"id": template.pk, "title": visible_text(template.title)},
        "form": form,
    }
    if found is not None:
        context["link"] = {
            "address": f"{settings.SIGNAPP_URL}{reverse('signapp:start', args=[found.secret])}",
            "uses": found.uses.count(),
            "most_uses": found.most_uses,
            "expires_at": found.expires_at,
            "is_over": service.is_over(found),
        }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render_page(request, "signapp/direct_link.html", context, status=status)


@require_POST
@logged_in
def delete(request: HttpRequest, signer: Signer, template_id: UUID) -> HttpResponseBase:
    service.delete_link(account=signer.account, template_id=template_id)
    messages.success(request, _("The link opens nothing any more. Envelopes that were asked for stay."))
    return HttpResponseRedirect(reverse("signapp:direct_link", args=[template_id]))


@require_http_methods(["GET", "HEAD", "POST"])
@answered
def start(request: HttpRequest, secret: str) -> HttpResponseBase:
    """For anybody: name and address, and an invitation is on its way there."""
    offer = service.read_offer(secret=secret)
    account = logins.read_account(session=request.session)
    known = {"name": account.name, "email": account.email} if account else {}
    form = StartForm(request.POST or None, initial=known)
    if request.method == "POST" and form.is_valid():
        service.ask_for_envelope(secret=secret, **form.cleaned_data)
        notices.ring()
        return HttpResponseRedirect(reverse("signapp:started", args=[secret]))
    context = {"title": visible_text(offer.title), "sender": visible_text(offer.sender), "form": form}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render_page(request, "signapp/start.html", context, status=status)


@require_safe
@answered
def sent(request: HttpRequest, secret: str) -> HttpResponseBase:
    """The same whether something was sent or had been sent before."""
    return render_page(request, "signapp/started.html", {"again_url": reverse("signapp:start", args=[secret])})
