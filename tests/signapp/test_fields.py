"""Fields: placed in a draft, filled in one's turn, and told to the gateway; looks of signatures; templates."""

import base64
import io
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone
from PIL import Image, ImageDraw

from signapp import errors, pictures
from signapp.models import Document, Envelope, EnvelopeDocument, Field, Look, Recipient, StoredFile
from signapp.services import documents, looks
from signapp.services.envelopes import access, drafts, fields, filling, notices, overview, templates
from signapp.services.envelopes.copying import Named
from signapp.services.envelopes.fields import PlacedField
from tests.signapp.conftest import PDF, Person
from tests.signapp.test_envelopes import claim, draft, link_to, send, sign, turn_of

PEOPLE = [("bob", "signer", 1), ("carol", "signer", 2), ("dana", "approver", 2)]
BOX = (50.0, 40.0, 250.0, 100.0)


@pytest.fixture
def carol(visitor: Callable[[], Person]) -> Person:
    return visitor().log_in("carol")


def of(envelope: Envelope, name: str) -> UUID:
    found: UUID = envelope.recipients.get(email=f"{name}@example.org").pk
    return found


def place(alice: Person, envelope: Envelope, *placed: PlacedField) -> list[Field]:
    part = envelope.documents.get()
    return fields.place_fields(account=alice.account, envelope_id=envelope.pk, part_id=part.pk, fields=placed)


def send_with_fields(alice: Person, make: Callable[[Envelope], list[PlacedField]]) -> Envelope:
    envelope = draft(alice, PEOPLE)
    place(alice, envelope, *make(envelope))
    drafts.send_envelope(
        account=alice.account, envelope_id=envelope.pk, title="Lease", message="", due_on=None, now=timezone.now()
    )
    notices.send_notices()
    return envelope


def asked_of_gateway(person: Person, turn: Document) -> dict[str, Any]:
    options: dict[str, Any] = person.remote.jobs[str(person.find(turn).job_id)]["options"]
    return options


def fill(person: Person, turn: Document, **by_label: str) -> None:
    named = {field.pk: by_label[field.label] for field in filling.fields_to_fill(turn) if field.label in by_label}
    filling.keep_values(account=person.account, document_id=turn.pk, values=named)


def everyone(envelope: Envelope) -> list[PlacedField]:
    bob, carol = of(envelope, "bob"), of(envelope, "carol")
    return [
        PlacedField(bob, "signature", 1, BOX, "sign"),
        PlacedField(bob, "signature", 2, BOX, "sign again"),
        PlacedField(bob, "initials", 2, (300, 40, 350, 80), "initials"),
        PlacedField(bob, "text", 1, (50, 300, 250, 320), "purpose"),
        PlacedField(bob, "text", 1, (50, 250, 250, 270), "note", is_required=False),
        PlacedField(bob, "checkbox", 3, (800, 560, 814, 574), "agreed", is_required=False),
        PlacedField(carol, "date", 1, (300, 300, 400, 320), "day"),
    ]


# --- Placed -----------------------------------------------------------------------------------------------------


def test_fields_take_the_place_of_those_before(alice: Person) -> None:
    envelope = draft(alice, PEOPLE)
    place(alice, envelope, *everyone(envelope))
    place(alice, envelope, PlacedField(of(envelope, "bob"), "signature", 3, (0, 0, 842, 595), is_required=False))
    [kept] = Field.objects.all()
    assert (kept.page, kept.box, kept.is_required) == (3, (0, 0, 842, 595), True), "a signature is always required"
    assert place(alice, envelope) == []


@pytest.mark.parametrize(
    ("page", "box"),
    [
        (0, BOX),
        (4, BOX),
        (1, (-1, 0, 50, 50)),
        (1, (0, -1, 50, 50)),
        (1, (560, 0, 596, 50)),
        (1, (0, 800, 50, 843)),
        (3, (0, 560, 50, 596)),
        (1, (50, 50, 54, 90)),
        (1, (50, 50, 90, 55)),
        (1, (90, 50, 50, 90)),
    ],
)
def test_a_field_that_does_not_lie_on_its_page_is_refused(alice: Person, page: int, box: Any) -> None:
    envelope = draft(alice, PEOPLE)
    bob = of(envelope, "bob")
    place(alice, envelope, PlacedField(bob, "signature", 1, BOX))
    with pytest.raises(errors.FieldOffPageError) as refused:
        place(alice, envelope, PlacedField(bob, "text", 1, BOX), PlacedField(bob, "text", page, box))
    assert refused.value.index == 1
    assert [field.kind for field in Field.objects.all()] == ["signature"], "what was there stays"


def test_a_field_is_for_a_signer_of_this_envelope(alice: Person) -> None:
    envelope, other = draft(alice, PEOPLE), draft(alice, PEOPLE)
    for recipient in (of(other, "bob"), of(envelope, "dana"), uuid4()):
        with pytest.raises(errors.FieldOfNobodyError):
            place(alice, envelope, PlacedField(recipient, "text", 1, BOX))


def test_too_many_fields_are_refused(alice: Person) -> None:
    envelope = draft(alice, PEOPLE)
    one = PlacedField(of(envelope, "bob"), "text", 1, BOX)
    place(alice, envelope, *[one] * fields.MOST_FIELDS)
    with pytest.raises(errors.TooManyFieldsError):
        place(alice, envelope, *[one] * (fields.MOST_FIELDS + 1))


def test_nothing_is_placed_after_sending_or_into_what_is_signed(alice: Person, bob: Person) -> None:
    envelope = draft(alice, PEOPLE)
    one = PlacedField(of(envelope, "bob"), "signature", 1, BOX)
    EnvelopeDocument.objects.update(signatures=1)
    with pytest.raises(errors.DocumentSignedBeforeError):
        place(alice, envelope, one)
    part = envelope.documents.get()
    with pytest.raises(errors.EnvelopeNotFoundError):
        fields.place_fields(account=bob.account, envelope_id=envelope.pk, part_id=part.pk, fields=[])
    Envelope.objects.change(state="sent")
    with pytest.raises(errors.EnvelopeSentError):
        fields.place_fields(account=alice.account, envelope_id=envelope.pk, part_id=part.pk, fields=[one])


def test_fields_go_with_their_signer(alice: Person) -> None:
    envelope = draft(alice, PEOPLE)
    place(alice, envelope, *everyone(envelope))
    drafts.remove_recipient(account=alice.account, envelope_id=envelope.pk, recipient_id=of(envelope, "bob"))
    assert [field.label for field in Field.objects.all()] == ["day"]


# --- Filled -----------------------------------------------------------------------------------------------------


def test_the_first_signer_makes_every_field_and_certifies_and_the_second_fills(
    alice: Person, bob: Person, carol: Person
) -> None:
    send_with_fields(alice, everyone)
    claim(bob, link_to("bob"))
    turn = turn_of(bob)
    fill(bob, turn, **{"sign": "yes", "sign again": "yes", "initials": "yes", "purpose": "Boats"})
    bob.prepare(turn)
    asked = asked_of_gateway(bob, turn)
    assert asked["certify"] == 2
    made = {each["name"]: each for each in asked["new_fields"]}
    assert len(made) == 8, "seven that were placed, and a signature of Carol's that is not seen"
    own = made[asked["field"]]
    assert (own["page"], own["box"]) == (1, list(BOX))
    values = {each["field"]: each for each in asked["values"]}
    assert set(own["lock"]) == set(values), "what a signer filled, or left empty, is locked by that signer's signature"
    by_label = {made[name].get("label"): value for name, value in values.items()}
    assert by_label["purpose"]["text"] == "Boats"
    assert by_label["note"]["text"] == ""
    assert by_label["agreed"]["checked"] is False
    assert by_label["initials"]["text"] == "BE"
    assert by_label["sign again"]["text"] == "Bob Example"
    assert asked["appearance"]["text"].startswith("Bob Example\n")
    sign(bob, b" bob")
    notices.send_notices()
    claim(carol, link_to("carol"))
    turn = turn_of(carol)
    with pytest.raises(errors.ValueMissingError):
        carol.prepare(turn)
    fill(carol, turn, day="2026-11-25")
    carol.prepare(turn)
    later = asked_of_gateway(carol, turn)
    assert "certify" not in later
    assert "new_fields" not in later
    assert "appearance" not in later, "Carol's signature has no place"
    assert later["field"] in made
    [value] = later["values"]
    assert value["text"] == "2026-11-25"
    assert value["field"] in made


def test_what_is_required_is_asked_for_before_the_document_is_taken(alice: Person, bob: Person) -> None:
    send_with_fields(alice, everyone)
    claim(bob, link_to("bob"))
    turn = turn_of(bob)
    fill(bob, turn, **{"sign": "yes", "sign again": "yes", "purpose": "Boats"})
    with pytest.raises(errors.ValueMissingError):
        bob.prepare(turn)
    assert EnvelopeDocument.objects.get().holder is None
    assert not bob.remote.jobs


def test_a_value_for_somebody_elses_field_is_not_kept(alice: Person, bob: Person) -> None:
    envelope = send_with_fields(alice, everyone)
    claim(bob, link_to("bob"))
    turn = turn_of(bob)
    foreign = Field.objects.get(recipient=of(envelope, "carol")).pk
    own = Field.objects.get(label="purpose").pk
    for unknown in (foreign, uuid4()):
        with pytest.raises(errors.FieldNotFoundError):
            filling.keep_values(account=bob.account, document_id=turn.pk, values={own: "x", unknown: "x"})
    with pytest.raises(errors.DocumentNotFoundError):
        filling.keep_values(account=alice.account, document_id=turn.pk, values={own: "x"})
    assert set(Field.objects.values_list("value", flat=True)) == {""}


def test_a_document_that_was_signed_before_gets_a_signature_and_nothing_else(alice: Person, bob: Person) -> None:
    envelope = draft(alice, PEOPLE)
    EnvelopeDocument.objects.update(signatures=1)
    drafts.send_envelope(
        account=alice.account, envelope_id=envelope.pk, title="Lease", message="", due_on=None, now=timezone.now()
    )
    notices.send_notices()
    claim(bob, link_to("bob"))
    bob.prepare(turn_of(bob))
    assert set(asked_of_gateway(bob, turn_of(bob))) == {"credential_id"}


def test_an_envelope_without_fields_is_certified_too(alice: Person, bob: Person) -> None:
    send(alice, [("bob", "signer", 1), ("carol", "signer", 1)])
    claim(bob, link_to("bob"))
    bob.prepare(turn_of(bob))
    asked = asked_of_gateway(bob, turn_of(bob))
    assert asked["certify"] == 2
    assert [set(each) for each in asked["new_fields"]] == [{"name"}, {"name"}]
    assert asked["field"] in {each["name"] for each in asked["new_fields"]}


# --- Looks ------------------------------------------------------------------------------------------------------


def drawn(size: tuple[int, int] = (300, 120), *, mode: str = "RGBA", kind: str = "PNG") -> io.BytesIO:
    image = Image.new(mode, size, (0, 0, 0, 0) if mode == "RGBA" else "white")
    ImageDraw.Draw(image).line((40, 80, 200, 30), fill="black", width=6)
    out = io.BytesIO()
    image.save(out, kind)
    out.seek(0)
    return out


def test_a_look_is_kept_encrypted_and_put_into_the_signature(alice: Person, bob: Person) -> None:
    look = looks.keep_look(account=bob.account, kind=Look.Kind.SIGNATURE, style=Look.Style.DRAWN, upload=drawn())
    assert look.picture is not None
    first = look.picture.pk
    looks.keep_look(
        account=bob.account,
        kind=Look.Kind.SIGNATURE,
        style=Look.Style.UPLOADED,
        upload=drawn((2000, 900), mode="RGB", kind="JPEG"),
    )
    assert not StoredFile.objects.filter(pk=first).exists()
    picture = looks.read_picture(account=bob.account, kind=Look.Kind.SIGNATURE)
    shown = Image.open(io.BytesIO(picture))
    assert (shown.format, shown.mode) == ("PNG", "RGBA")
    assert shown.width <= 900
    assert shown.getchannel("A").getextrema() == (0, 255), "paper is clear"
    assert looks.read_picture(account=alice.account, kind=Look.Kind.SIGNATURE) == b""
    send_with_fields(alice, lambda envelope: [PlacedField(of(envelope, "bob"), "signature", 1, BOX, "sign")])
    claim(bob, link_to("bob"))
    turn = turn_of(bob)
    fill(bob, turn, sign="yes")
    bob.prepare(turn)
    assert base64.b64decode(asked_of_gateway(bob, turn)["appearance"]["image"]) == picture
    looks.delete_look(account=bob.account, kind=Look.Kind.SIGNATURE)
    looks.delete_look(account=bob.account, kind=Look.Kind.SIGNATURE)
    assert looks.list_looks(account=bob.account) == {}


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (b"", errors.PictureError),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", errors.PictureError),
        (b"GIF89a" + bytes(60), errors.PictureError),
        (drawn().getvalue()[:90], errors.PictureError),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), errors.PictureError),
        (bytes(pictures.LARGEST_FILE + 1), errors.PictureTooLargeError),
    ],
)
def test_what_is_no_picture_is_refused_and_the_former_stays(bob: Person, data: bytes, refusal: type) -> None:
    looks.keep_look(account=bob.account, kind=Look.Kind.INITIALS, style=Look.Style.DRAWN, upload=drawn())
    with pytest.raises(refusal):
        looks.keep_look(
            account=bob.account, kind=Look.Kind.INITIALS, style=Look.Style.UPLOADED, upload=io.BytesIO(data)
        )
    assert looks.read_picture(account=bob.account, kind=Look.Kind.INITIALS)


@pytest.mark.parametrize(("mode", "color"), [("RGBA", (0, 0, 0, 0)), ("RGB", "white"), ("L", 255)])
def test_a_picture_of_nothing_is_refused(mode: str, color: Any) -> None:
    out = io.BytesIO()
    Image.new(mode, (50, 20), color).save(out, "PNG")
    out.seek(0)
    with pytest.raises(errors.PictureEmptyError):
        pictures.read_picture(out)


def test_a_picture_of_too_many_pixels_is_not_unpacked() -> None:
    out = io.BytesIO()
    Image.new("1", (6000, 6000)).save(out, "PNG")
    out.seek(0)
    with pytest.raises(errors.PictureTooLargeError):
        pictures.read_picture(out)


@pytest.mark.parametrize(
    ("name", "initials"),
    [("Bob Example", "BE"), ("bob", "B"), ("Jean-Luc de la Tour Carrée", "JDLT"), ("山田 太郎", "山太"), ("'x y", "Y")],
)
def test_initials_come_from_the_name(name: str, initials: str) -> None:
    assert looks.initials_of(name) == initials


# --- Templates --------------------------------------------------------------------------------------------------


def save(alice: Person, envelope: Envelope, **bent: str) -> Envelope:
    roles = {each.pk: bent.get(each.name.lower(), f"Role of {each.name}") for each in envelope.recipients.all()}
    return templates.save_template(account=alice.account, envelope_id=envelope.pk, title="A lease", roles=roles)


def test_a_template_keeps_documents_roles_and_fields_and_no_person(alice: Person) -> None:
    envelope = draft(alice, PEOPLE)
    place(alice, envelope, *everyone(envelope))
    template = save(alice, envelope)
    assert [each.title for each in templates.list_templates(account=alice.account)] == ["A lease"]
    assert {each.email for each in template.recipients.all()} == {""}
    people = {
        each.pk: Named(f"P{index}", f"p{index}@example.org") for index, each in enumerate(template.recipients.all())
    }
    made = templates.use_template(account=alice.account, template_id=template.pk, people=people)
    drafts.delete_draft(account=alice.account, envelope_id=envelope.pk)
    templates.delete_template(account=alice.account, template_id=template.pk)
    assert made.title == "A lease"
    part = made.documents.get()
    assert part.page_sizes == [[595.0, 842.0, 2], [842.0, 595.0, 1]]
    placed = Field.objects.filter(part=part)
    assert placed.count() == Field.objects.count() == 7
    assert {field.recipient.email for field in placed} == {"p0@example.org", "p1@example.org"}
    assert StoredFile.objects.count() == 1, "the one that all three of them shared"
    with documents.open_stored(part.original) as source:
        assert source.read() == PDF + b"A"
    drafts.send_envelope(
        account=alice.account, envelope_id=made.pk, title="Lease", message="", due_on=None, now=timezone.now()
    )


def test_a_template_is_its_makers_alone_and_no_envelope(alice: Person, bob: Person) -> None:

    template = save(alice, draft(alice, PEOPLE))
    for wrong in (template.pk, uuid4()):
        with pytest.raises(errors.EnvelopeNotFoundError):
            templates.find_template(account=bob.account, template_id=wrong)
    with pytest.raises(errors.EnvelopeNotFoundError):
        access.find_envelope(account=alice.account, envelope_id=template.pk)
    assert sum(overview.count_envelopes(account=alice.account).values()) == 1
    with pytest.raises(errors.EnvelopeNotFoundError):
        templates.delete_template(account=bob.account, template_id=template.pk)
    assert templates.list_templates(account=bob.account) == []


def test_a_draft_needs_somebody_for_every_role_and_each_once(alice: Person) -> None:
    template = save(alice, draft(alice, PEOPLE))
    roles = [each.pk for each in template.recipients.all()]
    same = {pk: Named("P", "p@example.org") for pk in roles}
    with pytest.raises(errors.RecipientTwiceError):
        templates.use_template(account=alice.account, template_id=template.pk, people=same)
    for people in ({}, dict(list(same.items())[:1]), {**same, uuid4(): Named("X", "x@example.org")}):
        with pytest.raises(errors.EnvelopeIncompleteError):
            templates.use_template(account=alice.account, template_id=template.pk, people=people)
    assert Envelope.objects.filter(state="draft").count() == 1


def test_what_is_sent_or_has_nobody_becomes_no_template(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.EnvelopeIncompleteError):
        save(alice, draft(alice, []))
    with pytest.raises(errors.EnvelopeIncompleteError):
        save(alice, draft(alice, PEOPLE), bob="")
    with pytest.raises(errors.EnvelopeSentError):
        save(alice, send(alice, PEOPLE))
    monkeypatch.setattr(templates, "MOST_TEMPLATES", 0)
    files = StoredFile.objects.count()
    with pytest.raises(errors.TooManyTemplatesError):
        save(alice, draft(alice, PEOPLE))
    assert StoredFile.objects.count() == files + 1, "the draft's own"
    assert not Recipient.objects.filter(envelope__state="template").exists()
