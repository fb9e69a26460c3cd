"""Templates: kept from a draft, used to make drafts."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from signapp import errors
from signapp.error_responses import explain
from signapp.forms import PeopleForm, TemplateForm
from signapp.models import Envelope, Recipient
from signapp.services.envelopes import access
from signapp.services.envelopes import templates as service
from signapp.views.fields import COLORS
from signapp.views.pages import Signer, logged_in, render_page
from signapp.views.wording import visible_text


@require_safe
@logged_in
def templates(request: HttpRequest, signer: Signer) -> HttpResponseBase:
    found = [_describe(each) for each in service.list_templates(account=signer.account)]
    context = {"section": "envelopes", "account": signer.account, "templates": found}
    return render_page(request, "signapp/templates.html", context)


def _describe(template: Envelope) -> dict[str, Any]:
    title = visible_text(template.title)
    count = len(template.documents.all())
    return {
        "title": title,
        "meta": ngettext("%(count)d document", "%(count)d documents", count) % {"count": count},
        "roles": [
            {"name": visible_text(each.name), "color": index % COLORS + 1}
            for index, each in enumerate(template.recipients.all())
        ],
        "use_url": reverse("signapp:use_template", args=[template.pk]),
        "link_url": reverse("signapp:direct_link", args=[template.pk])
        if [each.role for each in template.recipients.all()] == [Recipient.Role.SIGNER]
        else "",
        "delete_url": reverse("signapp:delete_template", args=[template.pk]),
        "delete_label": _("Delete %(name)s") % {"name": title},
        "delete_text": _(
            "It is deleted at once, with its documents and fields. Envelopes that were made of it stay."
            " That cannot be undone."
        ),
        "dialog": f"delete-{template.pk}",
    }


@require_http_methods(["GET", "HEAD", "POST"])
@logged_in
def save(request: HttpRequest, signer: Signer, envelope_id: UUID) -> HttpResponseBase:
    """A draft becomes a template beside itself."""
    draft = access.find_draft(account=signer.account, envelope_id=envelope_id)
    people = list(draft.recipients.all())
    form = TemplateForm(request.POST or None, people=people, initial={"title": draft.title})
    if request.method == "POST" and form.is_valid():
        title = form.cleaned_data["title"]
        try:
            service.save_template(account=signer.account, envelope_id=envelope_id, title=title, roles=form.roles)
        except (errors.EnvelopeIncompleteError, errors.TooManyTemplatesError) as error:
            form.add_error(None, explain(error).sentence)
        else:
            messages.success(request, _("The template is saved."))
            return HttpResponseRedirect(reverse("signapp:templates"))
    context = {"section": "envelopes", "account": signer.account, "envelope": {"id": draft.pk}, "form": form}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render_page(request, "signapp/save_template.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@logged_in
def use(request: HttpRequest, signer: Signer, template_id: UUID) -> HttpResponseBase:
    """Somebody for each role, and there is a draft."""
    template = service.find_template(account=signer.account, template_id=template_id)
    roles = list(template.recipients.all())
    form = PeopleForm(request.POST or None, roles=roles)
    if request.method == "POST" and form.is_valid():
        try:
            made = service.use_template(account=signer.account, template_id=template_id, people=form.people)
        except (errors.RecipientTwiceError, errors.EnvelopeIncompleteError) as error:
            form.add_error(None, explain(error).sentence)
        else:
            return HttpResponseRedirect(reverse("signapp:edit_envelope", args=[made.pk]))
    does = {"signer": _("Signs"), "approver": _("Approves"), "copy": _("Gets a copy")}
    context = {
        "section": "envelopes",
        "account": signer.account,
        "template": {"title": visible_text(template.title)},
        "form": form,
        "roles": [
            {
                "name": visible_text(each.name),
                "color": index % COLORS + 1,
                "does": does[each.role],
                "name_field": form[f"name-{each.pk}"],
                "email_field": form[f"email-{each.pk}"],
            }
            for index, each in enumerate(roles)
        ],
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render_page(request, "signapp/use_template.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@logged_in
def delete(request: HttpRequest, signer: Signer, template_id: UUID) -> HttpResponseBase:
    """Asks first; the list asks in a dialog instead."""
    if request.method != "POST":
        found = service.find_template(account=signer.account, template_id=template_id)
        return render_page(request, "signapp/delete_template.html", {"template": _describe(found)})
    service.delete_template(account=signer.account, template_id=template_id)
    messages.success(request, _("The template is deleted."))
    return HttpResponseRedirect(reverse("signapp:templates"))
