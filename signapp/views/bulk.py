"""An envelope for everybody of a list: the list checked, looked at, sent, and what became of each line."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from signapp.error_responses import explanation_of
from signapp.forms import BulkForm
from signapp.models import BulkRow, BulkSend, Envelope
from signapp.services.bulk import results as bulk_results
from signapp.services.bulk import sending
from signapp.services.bulk.reading import Problem
from signapp.services.envelopes import access
from signapp.views.pages import Signer, logged_in, render_page
from signapp.views.wording import visible_text
from signapp.wire import clean_file_name, write_disposition

_SHOWN = 10
_EXAMPLE = "name,email,title,message\r\nBob Example,bob@example.org,,\r\nCarol Example,carol@example.org,,\r\n"


@require_http_methods(["GET", "HEAD", "POST"])
@logged_in
def new(request: HttpRequest, signer: Signer, envelope_id: UUID) -> HttpResponseBase:
    """The list to a draft; posted, it is checked, and nothing is sent yet."""
    draft = access.find_draft(account=signer.account, envelope_id=envelope_id)
    places = [
        (str(person.pk), _("Takes the place of %(name)s") % {"name": visible_text(person.name)})
        for person in draft.recipients.exclude(role="copy")
    ]
    data, files = (request.POST, request.FILES) if request.method == "POST" else (None, None)
    form = BulkForm(data, files, places=places, initial={"title": draft.title, "place": places[0][0] if places else ""})
    problems: list[Problem] = []
    if form.is_valid():
        values = dict(form.cleaned_data)
        file, place = values.pop("document"), values.pop("place")
        found, bulk = sending.check_list(
            account=signer.account,
            envelope_id=envelope_id,
            file=file,
            file_name=clean_file_name(file.name),
            place=UUID(place) if place else None,
            **values,
        )
        if bulk is not None:
            return HttpResponseRedirect(reverse("signapp:bulk", args=[bulk.pk]))
        problems = found.problems
        count = len(problems)
        words = ngettext("The list has %(count)d fault.", "The list has %(count)d faults.", count) % {"count": count}
        form.add_error("document", words)
    context = {
        "section": "envelopes",
        "account": signer.account,
        "envelope": {"id": draft.pk, "title": visible_text(draft.title)},
        "form": form,
        "has_places": bool(places),
        "problems": [{"line": each.line, "text": _describe_problem(each)} for each in problems],
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render_page(request, "signapp/new_bulk.html", context, status=status)


def _describe_problem(problem: Problem) -> str:
    words = {
        "too_large": _("The file is larger than %(detail)s MB. Divide the list."),
        "not_unicode": _("The file is not UTF-8 here. Save it as “CSV UTF-8”."),
        "empty": _("There is nobody in this list."),
        "broken": _("The quotation marks do not match from here on."),
        "missing_column": _("The header line names no column “%(column)s”."),
        "column_twice": _("The header line names the column “%(column)s” twice."),
        "too_many_rows": _("There are more than %(detail)s people in this list. Divide it."),
        "too_many_problems": _("There are so many faults that reading ended here."),
        "wrong_width": _("The number of cells differs from the header line’s (%(detail)s)."),
        "in_envelope": _("This address is in the envelope already."),
        "twice": _("This address stands in line %(detail)s already."),
        "missing": _("The column “%(column)s” is empty."),
        "formula": _("The column “%(column)s” begins with a sign that a spreadsheet takes for a formula."),
        "too_long": _("The column “%(column)s” is longer than %(detail)s characters."),
        "unprintable": _("The column “%(column)s” holds characters that cannot be seen."),
        "not_an_address": _("The column “%(column)s” is no e-mail address."),
    }
    return words[problem.code] % {"column": problem.column, "detail": problem.detail}


@require_safe
@logged_in
def example(request: HttpRequest, signer: Signer) -> HttpResponseBase:
    response = HttpResponse(_EXAMPLE, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = write_disposition(_("people.csv"))
    return response


@require_safe
@logged_in
def bulks(request: HttpRequest, signer: Signer) -> HttpResponseBase:
    found = sending.list_bulks(account=signer.account)
    context = {
        "section": "envelopes",
        "account": signer.account,
        "bulks": [
            {
                **_describe(each),
                "progress": _("%(sent)d of %(all)d sent") % {"sent": each.sent_count, "all": each.row_count},  # type: ignore[attr-defined]  # annotated
            }
            for each in found
        ],
    }
    return render_page(request, "signapp/bulks.html", context)


def _describe(bulk: BulkSend) -> dict[str, Any]:
    badges = {
        "checked": {"kind": "info", "label": _("Checked, not sent")},
        "sending": {"kind": "info", "label": _("Being sent"), "icon": "clock"},
        "done": {"kind": "success", "label": _("Sent")},
        "stopped": {"kind": "neutral", "label": _("Stopped")},
    }
    return {
        "id": bulk.pk,
        "title": visible_text(bulk.title),
        "file_name": visible_text(bulk.file_name),
        "badge": badges[bulk.state],
        "state": bulk.state,
        "created": bulk.created,
    }


@require_safe
@logged_in
def bulk(request: HttpRequest, signer: Signer, bulk_id: UUID) -> HttpResponseBase:
    """What will be sent, how far it is, or what became of it."""
    found = sending.find_bulk(account=signer.account, bulk_id=bulk_id)
    return render_page(request, "signapp/bulk.html", _context(signer, found))


@require_safe
@logged_in
def progress(request: HttpRequest, signer: Signer, bulk_id: UUID) -> HttpResponseBase:
    """The part of that page that changes while it is sent."""
    found = sending.find_bulk(account=signer.account, bulk_id=bulk_id)
    if found.state != BulkSend.State.SENDING:
        # Over: the whole page, with what became of each.
        return HttpResponse(status=HTTPStatus.NO_CONTENT, headers={"HX-Refresh": "true"})
    return render_page(request, "signapp/_bulk_progress.html", _context(signer, found))


def _context(signer: Signer, found: BulkSend) -> dict[str, Any]:
    counts = sending.count_rows(found)
    total = sum(counts.values())
    done = total - counts[BulkRow.State.WAITING]
    is_over = found.state in {"done", "stopped"}
    rows = found.rows.exclude(state=BulkRow.State.SENT) if is_over else found.rows.all()
    return {
        "section": "envelopes",
        "account": signer.account,
        "bulk": {
            **_describe(found),
            "message": "\n".join(visible_text(line) for line in found.message.splitlines()),
            "due_on": found.due_on,
            "ignored": visible_text(found.ignored),
            "documents": _names(found.pattern),
        },
        "counts": counts,
        "total": total,
        "done": done,
        "progress_text": _("%(done)d of %(all)d") % {"done": done, "all": total},
        "start_label": ngettext("Send to %(count)d person", "Send to %(count)d people", total) % {"count": total},
        "rows": [_describe_row(row, found) for row in rows[:_SHOWN]],
        "more": max(0, rows.count() - _SHOWN),
        "is_over": is_over,
    }


def _names(pattern: Envelope | None) -> list[str]:
    return [visible_text(part.name) for part in pattern.documents.all()] if pattern else []


def _describe_row(row: BulkRow, found: BulkSend) -> dict[str, Any]:
    return {
        "line": row.line,
        "name": visible_text(row.name),
        "email": row.email,
        "title": visible_text(row.title or found.title),
        "problem": explanation_of(row.error_code).title if row.error_code else "",
    }


@require_POST
@logged_in
def start(request: HttpRequest, signer: Signer, bulk_id: UUID) -> HttpResponseBase:
    sending.start(account=signer.account, bulk_id=bulk_id)
    return HttpResponseRedirect(reverse("signapp:bulk", args=[bulk_id]))


@require_POST
@logged_in
def stop(request: HttpRequest, signer: Signer, bulk_id: UUID) -> HttpResponseBase:
    sending.stop(account=signer.account, bulk_id=bulk_id)
    return HttpResponseRedirect(reverse("signapp:bulk", args=[bulk_id]))


@require_safe
@logged_in
def results(request: HttpRequest, signer: Signer, bulk_id: UUID) -> HttpResponseBase:
    """One line for each of the list's."""
    found = sending.find_bulk(account=signer.account, bulk_id=bulk_id)
    lines = bulk_results.write_results(found)
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = write_disposition(_("results.csv"))
    return response
