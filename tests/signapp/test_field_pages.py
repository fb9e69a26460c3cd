"""Fields, looks and templates from outside: what their pages refuse, and that nothing is changed then."""

import io
import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from PIL import Image, ImageDraw

from signapp.models import Document, Envelope, Field, Look
from tests.signapp.test_pages import (  # noqa: F401  (a fixture)
    CERTIFICATE,
    _this_role_alone,
    browser_of,
    envelope_of,
)

pytestmark = pytest.mark.django_db(databases=["default", "signapp"])
BOX = [50, 40, 250, 100]


def draft_of(subject: str, **values: Any) -> Envelope:
    envelope = envelope_of(subject, **values)
    envelope.documents.update(page_sizes=[[595, 842, 3]])
    return envelope


def address_of(envelope: Envelope) -> str:
    return f"/envelopes/{envelope.pk}/documents/{envelope.documents.get().pk}/fields"


def one(envelope: Envelope, **bent: Any) -> dict[str, Any]:
    recipient = str(envelope.recipients.get().pk)
    known = {"recipient": recipient, "kind": "text", "label": "Purpose", "page": 1, "box": BOX, "required": True}
    return {**known, **bent}


def place(subject: str, envelope: Envelope, body: Any) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body)
    return browser_of(subject).post(address_of(envelope), data, content_type="application/json")


# --- Placed -------------------------------------------------------------------------------------------------------


def test_what_is_placed_is_there_when_the_editor_is_opened_again() -> None:
    envelope = draft_of("alice")
    answer = place("alice", envelope, {"fields": [one(envelope), one(envelope, kind="signature", required=False)]})
    assert (answer.status_code, answer.json()) == (200, {"fields": 2})
    page = browser_of("alice").get(address_of(envelope)).content.decode()
    assert "Purpose" in page
    assert "[50.0, 40.0, 250.0, 100.0]" in page
    assert "2 fields" in browser_of("alice").get(f"/envelopes/{envelope.pk}/edit").content.decode()


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (b"", "field_refused"),
        (b"\xff", "field_refused"),
        (b"[]", "field_refused"),
        (b'{"fields": {}}', "field_refused"),
        (b'{"fields": [1]}', "field_refused"),
        (b"[" * 100_000, "field_refused"),
        (b" " * (256 * 1024 + 1), "too_many_fields"),
        ({"box": [1, 2, 3]}, "field_refused"),
        ({"box": "four"}, "field_refused"),
        ({"box": [1, 2, 3, "x"]}, "field_refused"),
        ({"box": [1, 2, 3, float("nan")]}, "field_refused"),
        ({"box": [1, 2, 3, float("inf")]}, "field_refused"),
        ({"box": [500, 40, 600, 100]}, "field_off_page"),
        ({"kind": "file"}, "field_refused"),
        ({"page": 0}, "field_refused"),
        ({"page": 4}, "field_off_page"),
        ({"label": "x" * 81}, "field_refused"),
        ({"label": "a\nb"}, "field_refused"),
        ({"label": "a\u202eb"}, "field_refused"),
        ({"recipient": "bob"}, "field_refused"),
        ({"recipient": str(uuid4())}, "field_of_nobody"),
    ],
)
def test_what_is_no_field_is_refused_by_its_number_and_nothing_is_changed(body: Any, refusal: str) -> None:
    envelope = draft_of("alice")
    assert place("alice", envelope, {"fields": [one(envelope, label="stays")]}).status_code == 200
    is_field = isinstance(body, dict)
    answer = place("alice", envelope, {"fields": [one(envelope), one(envelope, **body)]} if is_field else body)
    assert answer.status_code in {404, 422}
    assert answer.json()["error"] == refusal
    assert answer.json()["error_description"]
    assert answer.json()["field"] == (1 if is_field else 0 if body == b'{"fields": [1]}' else None)
    assert list(Field.objects.values_list("label", flat=True)) == ["stays"]


@pytest.mark.parametrize("state", ["sent", "completed", "cancelled", "template"])
def test_nothing_is_placed_in_what_is_no_draft(state: str) -> None:
    envelope = draft_of("alice", state=state)
    answer = place("alice", envelope, {"fields": [one(envelope)]})
    assert answer.status_code == (404 if state == "template" else 409)
    assert browser_of("alice").get(address_of(envelope)).status_code == answer.status_code
    assert not Field.objects.exists()


def test_nothing_is_placed_in_a_strangers_draft_or_by_a_forged_request() -> None:
    envelope = draft_of("alice")
    assert place("bob", envelope, {"fields": []}).status_code == 404
    forged = browser_of("alice", enforce_csrf_checks=True)
    assert forged.post(address_of(envelope), "{}", content_type="application/json").status_code == 403
    own = draft_of("bob")
    mixed = f"/envelopes/{own.pk}/documents/{envelope.documents.get().pk}/fields"
    for body in ({"fields": []}, {"fields": [one(own)]}):
        answer = browser_of("bob").post(mixed, json.dumps(body), content_type="application/json")
        assert answer.status_code == 404
    assert not Field.objects.exists()


# --- Filled -------------------------------------------------------------------------------------------------------


@pytest.fixture
def turn() -> Document:
    """Carol's, with one field of each kind that is written into."""
    envelope = draft_of("alice", state="sent")
    recipient, part = envelope.recipients.get(), envelope.documents.get()
    recipient.issuer, recipient.subject = settings.ISSUER, "carol"
    recipient.save()
    for kind in ("text", "date", "signature"):
        left, bottom, right, top = BOX
        place = {"page": 1, "left": left, "bottom": bottom, "right": right, "top": top}
        Field.objects.create(part=part, recipient=recipient, kind=kind, label=kind, **place)
    facts = {"name": "Lease.pdf", "size": part.size, "pages": 3, "sha256": part.sha256}
    return Document.objects.create(issuer=settings.ISSUER, subject="carol", part=part, recipient=recipient, **facts)


def name_of(label: str) -> str:
    return f"field-{Field.objects.get(label=label).pk}"


@pytest.mark.parametrize(
    ("bent", "said"),
    [
        ({"text": ""}, "Fill in “text”."),
        ({"text": "x" * 501}, "at most 500"),
        ({"text": "a\u202eb"}, "one line"),
        ({"text": "a\x00b"}, "ull characters"),
        ({"date": "2026-02-30"}, "2026-11-25"),
        ({"date": "25.11.2026"}, "2026-11-25"),
        ({"date": "1700-01-01"}, "1900"),
        ({"date": ""}, "Fill in “date”."),
        ({"signature": ""}, "Fill in “signature”."),
    ],
)
def test_what_does_not_fit_is_told_at_its_field_and_nothing_is_prepared(
    turn: Document, bent: dict[str, str], said: str
) -> None:
    filled = {"text": "Boats", "date": "2026-11-25", "signature": "on", **bent}
    form = {name_of(label): value for label, value in filled.items() if value}
    response = browser_of("carol").post(
        f"/documents/{turn.pk}/prepare", {"credential_id": CERTIFICATE.credential_id, "reason": "", **form}
    )
    page = response.content.decode()
    assert response.status_code == 422
    assert said in page
    assert "x" * 501 in page or "Boats" in page or "text" in bent, "what was written is still there"
    assert set(Field.objects.values_list("value", flat=True)) == {""}
    turn.refresh_from_db()
    assert turn.state == "ready"


def test_a_field_that_is_not_this_turns_is_not_filled(turn: Document) -> None:
    filled = {name_of("text"): "Boats", name_of("date"): "2026-11-25", name_of("signature"): "on"}
    for foreign in (f"field-{uuid4()}", "field-", "field-x"):
        response = browser_of("carol").post(
            f"/documents/{turn.pk}/prepare",
            {"credential_id": CERTIFICATE.credential_id, "reason": "", **filled, foreign: "x"},
        )
        assert response.status_code == 404
    assert set(Field.objects.values_list("value", flat=True)) == {""}
    assert browser_of("alice").post(f"/documents/{turn.pk}/prepare", filled).status_code == 404


def test_the_page_of_a_turn_asks_for_each_field_and_proposes_name_and_day(turn: Document) -> None:
    Field.objects.filter(label="text").update(kind="name", label="<script>alert(1)</script>\u202e")
    page = browser_of("carol").get(f"/documents/{turn.pk}").content.decode()
    assert page.count("data-fill-item") == 3
    assert 'value="Carol"' in page
    assert "<script>alert" not in page
    assert "\u202e" not in page


# --- Looks --------------------------------------------------------------------------------------------------------


def drawn() -> io.BytesIO:
    image = Image.new("RGBA", (300, 120), (0, 0, 0, 0))
    ImageDraw.Draw(image).line((40, 80, 200, 30), fill="black", width=6)
    out = io.BytesIO()
    image.save(out, "PNG")
    out.seek(0)
    return out


def keep(subject: str, picture: io.BytesIO | None, **bent: str) -> Any:
    files = {"picture": picture} if picture else {}
    return browser_of(subject).post("/account/signature", {"kind": "signature", "style": "drawn", **files, **bent})


def test_a_look_is_shown_to_its_owner_alone() -> None:
    assert keep("alice", drawn())["Location"] == "/account/signature#signature"
    shown = browser_of("alice").get("/account/signature/signature/picture")
    assert (shown.status_code, shown["Content-Type"], shown["Cache-Control"]) == (200, "image/png", "no-store")
    assert browser_of("bob").get("/account/signature/signature/picture").status_code == 404
    for kind in ("initials", "stamp", "signature.png"):
        assert browser_of("alice").get(f"/account/signature/{kind}/picture").status_code == 404


@pytest.mark.parametrize(("kind", "title"), [("signature", "Delete your signature?"), ("initials", "Delete your init")])
def test_a_look_is_deleted_once_that_is_confirmed_and_by_its_owner(kind: str, title: str) -> None:
    address = f"/account/signature/{kind}/delete"
    assert "<dialog" not in browser_of("alice").get("/account/signature").content.decode()
    keep("alice", drawn(), kind=kind)
    shown = browser_of("alice").get("/account/signature").content.decode()
    assert shown.count("<dialog") == shown.count(f'<dialog class="dialog" id="delete-{kind}"') == 1
    assert f'href="{address}" data-opens="delete-{kind}"' in shown
    asked = browser_of("alice").get(address)
    assert asked.status_code == 200
    for page in (shown, asked.content.decode()):
        assert title in page
        assert "That cannot be undone" in page
    other = {"signature": "initials", "initials": "signature"}[kind]
    for method in ("get", "post"):
        assert getattr(browser_of("bob"), method)(address).status_code == 404
        for wanted in (other, "stamp", "signature.png"):
            refused = getattr(browser_of("alice"), method)(f"/account/signature/{wanted}/delete")
            assert refused.status_code == 404, wanted
    assert browser_of("alice", enforce_csrf_checks=True).post(address).status_code == 403
    assert Look.objects.get().kind == kind
    assert browser_of("alice").post(address)["Location"] == "/account/signature"
    assert not Look.objects.exists()
    assert browser_of("alice").post(address).status_code == 404


def test_who_deletes_a_look_comes_back_to_where_it_was_asked_for_and_to_no_other_host() -> None:
    keep("alice", drawn())
    address = "/account/signature/signature/delete"
    from_document = browser_of("alice").get("/account/signature", {"next": "/documents"}).content.decode()
    assert f'action="{address}?next=%2Fdocuments"' in from_document
    elsewhere = browser_of("alice").get(f"{address}?next=//evil.test/").content.decode()
    assert "evil.test" not in elsewhere
    told = browser_of("alice").post(f"{address}?next=/documents", follow=True)
    assert told.redirect_chain == [("/account/signature?next=%2Fdocuments", 302)]
    assert "Your signature is deleted." in told.content.decode()
    keep("alice", drawn())
    assert browser_of("alice").post(f"{address}?next=//evil.test/")["Location"] == "/account/signature"


@pytest.mark.parametrize(
    ("picture", "bent"),
    [
        (None, {}),
        (io.BytesIO(b""), {}),
        (io.BytesIO(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), {}),
        (drawn(), {"kind": "stamp"}),
        (drawn(), {"style": "forged"}),
    ],
)
def test_what_is_no_look_is_refused_and_the_former_one_stays(picture: io.BytesIO | None, bent: dict[str, str]) -> None:
    keep("alice", drawn())
    former = Look.objects.get().picture_id
    response = keep("alice", picture, **bent)
    assert response.status_code == 422
    assert Look.objects.get().picture_id == former


@pytest.mark.parametrize("wanted", ["//evil.test/", "https://evil.test/", "/\\evil.test", "javascript:alert(1)"])
def test_who_keeps_a_look_is_sent_to_no_other_host(wanted: str) -> None:
    assert keep("alice", drawn(), next=wanted)["Location"] == "/account/signature#signature"
    assert "evil.test" not in browser_of("alice").get("/account/signature", {"next": wanted}).content.decode()
    assert keep("alice", drawn(), next="/documents")["Location"] == "/documents"


# --- Templates ----------------------------------------------------------------------------------------------------


def test_templates_are_led_to_and_say_how_the_first_one_is_made() -> None:
    assert 'href="/templates"' in browser_of("alice").get("/envelopes").content.decode()
    assert "No templates yet" in browser_of("alice").get("/templates").content.decode()
    envelope_of("alice", state="template")
    assert "Lease of the boathouse" in browser_of("alice").get("/templates").content.decode()
    assert "No templates yet" in browser_of("bob").get("/templates").content.decode()


def test_a_template_is_deleted_once_that_is_confirmed_and_by_its_owner() -> None:
    template = draft_of("alice", state="template")
    address = f"/templates/{template.pk}/delete"
    listed = browser_of("alice").get("/templates").content.decode()
    assert f'<dialog class="dialog" id="delete-{template.pk}"' in listed
    asked = browser_of("alice").get(address).content.decode()
    assert "That cannot be undone" in listed
    assert "Delete this template?" in asked
    for method in ("get", "post"):
        assert getattr(browser_of("bob"), method)(address).status_code == 404
    assert Envelope.objects.filter(pk=template.pk).exists()
    assert browser_of("alice").post(address)["Location"] == "/templates"
    assert not Envelope.objects.filter(pk=template.pk).exists()
    assert browser_of("alice").post(address).status_code == 404


@pytest.mark.parametrize(
    "bent", [{"title": ""}, {"title": "x" * 121}, {"title": "a\u202eb"}, {"role": ""}, {"role": "a\nb"}]
)
def test_a_template_needs_a_title_and_the_name_of_each_role(bent: dict[str, str]) -> None:
    envelope = draft_of("alice")
    given = {"title": "Lease", "role": "Tenant", **bent}
    form = {"title": given["title"], f"role-{envelope.recipients.get().pk}": given["role"]}
    assert browser_of("alice").post(f"/envelopes/{envelope.pk}/template", form).status_code == 422
    assert not Envelope.objects.filter(state="template").exists()


@pytest.mark.parametrize(
    "bent",
    [
        {"email": ""},
        {"email": "nobody"},
        {"email": "d@example.test\r\nBcc: x@example.test"},
        {"name": ""},
        {"name": "a\u202eb"},
        {"name": "x" * 121},
    ],
)
def test_a_draft_is_made_of_a_template_for_people_who_can_be_written_to(bent: dict[str, str]) -> None:
    template = draft_of("alice", state="template")
    role: UUID = template.recipients.get().pk
    address = f"/templates/{template.pk}/use"
    given = {"name": "Dana", "email": "dana@example.test"}
    form = {f"{name}-{role}": value for name, value in {**given, **bent}.items()}
    assert browser_of("alice").post(address, form).status_code == 422
    assert not Envelope.objects.filter(state="draft").exists()
    made = browser_of("alice").post(address, {f"{name}-{role}": value for name, value in given.items()})
    assert made["Location"] == f"/envelopes/{Envelope.objects.get(state='draft').pk}/edit"
