"""What a batch, and what waits to be put into one, is called on a page."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from signapp.error_responses import explanation_of
from signapp.models import Batch, Document
from signapp.services.batches.progress import WORKING
from signapp.services.envelopes import filling
from signapp.views.wording import badge, describe_document, visible_text


def describe_choice(document: Document, picked: Sequence[str] | None) -> dict[str, Any]:
    """One that may be chosen; without a choice so far, all are in which nothing is left to fill in."""
    part = document.part
    envelope = visible_text(part.envelope.title) if part else ""
    meta = describe_document(document)["meta"]
    is_complete = filling.is_complete(document)
    return {
        "id": document.pk,
        "name": visible_text(document.name),
        "meta": f"{envelope} · {meta}" if envelope else meta,
        "href": reverse("signapp:document", args=[document.pk]),
        "is_chosen": is_complete if picked is None else str(document.pk) in picked,
        "link_label": _("Read") if is_complete else _("Fill in first"),
    }


def describe_open(batch: Batch) -> dict[str, str]:
    """A line that leads back to one that was begun."""
    sentence = _("Nothing is signed before you approve.")
    if batch.state == Batch.State.SIGNING:
        sentence = _("They are being signed, and their results wait for you.")
    title = _title(str(batch.state), batch.documents.exclude(state=Document.State.FAILED).count(), 0)
    return {"title": title, "sentence": sentence, "href": reverse("signapp:batch", args=[batch.pk])}


def describe_batch(batch: Batch, documents: Sequence[Document]) -> dict[str, Any]:
    """Everything that the templates say about one batch."""
    counted = Counter(str(document.state) for document in documents)
    failed = counted["failed"]
    taken = len(documents) - failed
    state = str(batch.state)
    words = {"done": 0, "total": taken}
    progress: dict[str, Any] | None = None
    if state in WORKING:
        done = {
            "sending": sum(1 for document in documents if document.job_id is not None and document.state == "ready"),
            "preparing": counted["prepared"],
            "signing": counted["signed"],
        }[state]
        words["done"] = done
        label = {"sending": _("Sending"), "preparing": _("Preparing"), "signing": _("Signing")}[state]
        text = _("%(done)d of %(total)d") % words
        progress = {"label": label, "text": text, "value": done, "max": max(taken, 1)}
    return {
        "id": batch.pk,
        "state": state,
        "moves": state in WORKING,
        "progress": progress,
        "credential_label": visible_text(batch.credential_name),
        "reason": visible_text(batch.reason),
        "count": taken,
        "signed": counted["signed"],
        "failed": failed,
        "title": _title(state, taken, counted["signed"]),
        "approve_label": ngettext("Approve %(count)d document", "Approve %(count)d documents", taken)
        % {"count": taken},
        "can_approve": state in {"prepared", "approving"} and taken > 0,
        "can_cancel": state in {"sending", "preparing", "prepared", "approving", "failed"},
        "documents": [_describe_line(document) for document in documents],
    }


def _title(state: str, count: int, signed: int) -> str:
    if state == "ended":
        return ngettext("%(count)d document is signed", "%(count)d documents are signed", signed) % {"count": signed}
    if state == "failed":
        return _("Nothing was signed")
    return ngettext("Sign %(count)d document", "Sign %(count)d documents at once", count) % {"count": count}


def _describe_line(document: Document) -> dict[str, Any]:
    state = str(document.state)
    described = describe_document(document)
    is_signed = state == "signed"
    return {
        "name": described["name"],
        "meta": described["meta"],
        "fingerprint": described["fingerprint"] if state in {"prepared", "approving"} else "",
        "href": reverse("signapp:download" if is_signed else "signapp:document", args=[document.pk]),
        "link_label": _("Download") if is_signed else _("Read"),
        "signed": is_signed,
        "badge": badge(state) if state in {"signed", "signing", "failed"} else None,
        "failure": explanation_of(document.error_code).sentence if state == "failed" else "",
    }
