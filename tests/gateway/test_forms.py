"""Fields that several signers fill and sign, all of them made before the first signature (yardsticks G11, G12)."""

import base64
import io
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import ImageChops
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation import read_certification_data

from gateway.errors import (
    BoxOffPageError,
    FieldLockedError,
    FieldNameTakenError,
    FieldNotFillableError,
    FontMissingError,
    GatewayError,
    ImageUnreadableError,
    InvalidRequestError,
    PageOutOfRangeError,
)
from gateway.pades.inspect import inspect_document
from gateway.pades.options import Appearance, FieldValue, NewField, Place, SignatureOptions
from gateway.views.options import parse_options
from tests.gateway.test_options import draw, picture, sign, statuses, turned_pdf
from tests.support import pdfs

ALICE, BOB = Place(1, (50, 40, 250, 100)), Place(1, (300, 40, 490, 100))
PURPOSE, AGREED, INITIALS = Place(2, (50, 300, 250, 340)), Place(3, (50, 300, 64, 314)), Place(4, (50, 300, 120, 340))
NEW = (
    NewField("Alice", ALICE, lock=("Alice-purpose",)),
    NewField("Bob", BOB, lock=("Bob-agreed", "Bob-initials", "Bob-note")),
    NewField("Carol", None),
    NewField("Alice-purpose", PURPOSE, "text", "Purpose"),
    NewField("Bob-agreed", AGREED, "checkbox", "Agreed"),
    NewField("Bob-initials", INITIALS, "text", "Initials"),
    NewField("Bob-note", Place(4, (200, 300, 400, 340)), "text", "Note"),
)
TEXT = FieldValue("Alice-purpose", "Наём лодочного сарая, for a boathouse by the canal whose name is long, שלום")


def by_alice(**options: Any) -> bytes:
    given = {"new_fields": NEW, "certify": 2, "values": (TEXT,), **options}
    return sign(turned_pdf(), "Alice", pages=4, appearance=Appearance(image=picture()), **given)


@pytest.fixture(scope="module")
def of_alice() -> bytes:
    return by_alice()


@pytest.fixture(scope="module")
def of_both(of_alice: bytes) -> bytes:
    values = (
        FieldValue("Bob-agreed", checked=True),
        FieldValue("Bob-initials", "BE", image=picture()),
        FieldValue("Bob-note"),
    )
    return sign(of_alice, "Bob", pages=4, values=values, appearance=Appearance(text="Bob"))


@pytest.fixture(scope="module")
def of_three(of_both: bytes) -> bytes:
    return sign(of_both, "Carol", pages=4)


def fields_of(pdf: bytes) -> dict[str, Any]:
    found = PdfFileReader(io.BytesIO(pdf)).root["/AcroForm"]["/Fields"]
    return {str(field["/T"]): field for field in (found[index] for index in range(len(found)))}


def test_every_signature_verifies_after_the_last_and_later_values_are_form_fills(
    of_three: bytes, tmp_path: Path
) -> None:
    found = statuses(of_three)
    assert [each.bottom_line for each in found] == [True, True, True]
    assert [each.docmdp_ok for each in found] == [True, True, True]
    assert found[0].modification_level is ModificationLevel.FORM_FILLING
    certification = read_certification_data(PdfFileReader(io.BytesIO(of_three)))
    assert certification is not None
    assert certification.permission.value == 2
    path = tmp_path / "signed.pdf"
    path.write_bytes(of_three)
    told = subprocess.run(["pdfsig", "-nocert", str(path)], capture_output=True, text=True, check=False).stdout
    assert told.count("Signature is Valid.") == 3, told
    assert subprocess.run(["qpdf", "--check", str(path)], capture_output=True, check=False).returncode == 0


def test_values_can_be_read_and_stay_as_they_are(of_three: bytes) -> None:
    fields = fields_of(of_three)
    assert fields["Alice-purpose"]["/V"] == TEXT.text
    assert (fields["Bob-agreed"]["/V"], fields["Bob-agreed"]["/AS"]) == ("/Yes", "/Yes")
    assert fields["Bob-initials"]["/V"] == "BE"
    assert "/V" not in fields["Bob-note"]
    assert all(int(field.get("/Ff", 1)) & 1 for field in fields.values()), "no viewer offers to change one"
    assert fields["Bob-agreed"]["/TU"] == "Agreed"
    with pytest.raises(FieldLockedError):
        sign(of_three, "Dana", pages=4, values=(FieldValue("Bob-note", "later"),))
    with pytest.raises(FieldLockedError):
        sign(of_three, "Dana", pages=4, values=(FieldValue("Bob-agreed", checked=False),))


@pytest.mark.parametrize("place", [ALICE, PURPOSE, AGREED, INITIALS], ids=["turned 0", "90", "180", "270"])
def test_what_is_filled_is_shown_in_its_place_and_nowhere_else(of_both: bytes, place: Place) -> None:
    before, after = draw(turned_pdf(), place.page - 1), draw(of_both, place.page - 1)
    changed = ImageChops.difference(before, after).getbbox()
    assert changed is not None
    unit = 2 if place.page > 2 else 1
    left, bottom, right, top = (value / unit for value in place.box)
    right = 490 if place is ALICE else right  # Bob's signature lies beside hers
    assert changed[0] >= left - 1
    assert changed[2] <= right + 1
    assert changed[1] >= after.height - top - 1
    assert changed[3] <= after.height - bottom + 1


def test_a_long_value_is_broken_into_lines_that_fit() -> None:
    value = FieldValue("Alice-purpose", "boathouse " * 40)
    shown = draw(by_alice(values=(value,)), 1).convert("L")
    rows = [shown.crop((50, shown.height - row - 1, 250, shown.height - row)) for row in range(300, 340)]
    assert sum(row.getextrema()[0] < 150 for row in rows) > 20, "several lines"


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ([FieldValue("Nobody", "x")], FieldNotFillableError),
        ([FieldValue("Bob-agreed", "x")], FieldNotFillableError),
        ([FieldValue("Alice-purpose", checked=True)], FieldNotFillableError),
        ([FieldValue("Bob", "x")], FieldNotFillableError),
        ([FieldValue("Alice-purpose", "\U000f0000")], FontMissingError),
        ([FieldValue("Alice-purpose", "A", image=b"GIF89a")], ImageUnreadableError),
    ],
)
def test_a_value_that_a_field_does_not_take_is_refused(values: list[FieldValue], refusal: type[GatewayError]) -> None:
    with pytest.raises(refusal):
        by_alice(values=tuple(values))


@pytest.mark.parametrize(
    ("new", "refusal"),
    [
        (NewField("Alice", PURPOSE, "text"), FieldNameTakenError),
        (NewField("Alice.below", None), FieldNameTakenError),
        (NewField("Bob-note", PURPOSE, "checkbox"), FieldNameTakenError),
        (NewField("x", Place(5, (0, 0, 9, 9)), "text"), PageOutOfRangeError),
        (NewField("x", Place(1, (0, 0, 496, 9)), "checkbox"), BoxOffPageError),
    ],
)
def test_a_field_that_cannot_be_made_is_refused(new: NewField, refusal: type[GatewayError]) -> None:
    with pytest.raises(refusal):
        by_alice(new_fields=(*NEW, new))


def test_a_form_that_is_there_keeps_its_fields() -> None:
    objects = pdfs.document_objects()
    objects[6] = b"<< /FT /Tx /T (Text) /Type /Annot /Subtype /Widget /Rect [0 0 10 10] /P 4 0 R >>"
    objects[4] = objects[4].replace(b"/Contents", b"/Annots [6 0 R] /Contents")
    objects[1] = b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [6 0 R] >> >>"
    new = (NewField("Alice-purpose", ALICE, "text"), NewField("Bob", BOB))
    first = sign(pdfs.assemble(objects), new_fields=new, certify=2, values=(TEXT,))
    assert set(fields_of(first)) == {"Text", "Alice-purpose", "Bob", "Alice"}
    second = sign(first, "Bob", values=(FieldValue("Text", "x"),))
    assert [each.bottom_line for each in statuses(second)] == [True, True]


def test_an_inspection_tells_how_large_the_pages_are() -> None:
    found = inspect_document(io.BytesIO(turned_pdf()), max_pages=10)
    assert found.page_sizes == [(495.0, 792.0, 1), (792.0, 495.0, 1), (990.0, 1584.0, 1), (1584.0, 990.0, 1)]
    assert inspect_document(io.BytesIO(pdfs.make_pdf(pages=7)), max_pages=10).page_sizes == [(595.0, 842.0, 7)]
    odd = pdfs.document_objects()
    odd[4] = odd[4].replace(b"[0 0 595 842]", b"[/a 0 595 842]")
    assert inspect_document(io.BytesIO(pdfs.assemble(odd)), max_pages=10).page_sizes == [(0.0, 0.0, 1)]


# --- As a caller asks for it ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bent",
    [
        {"values": {}},
        {"values": ["a"]},
        *({"values": [{"field": "a", **each}]} for each in ({}, {"text": None}, {"text": 1}, {"checked": "yes"})),
        *({"values": [{"field": "a", **each}]} for each in ({"text": "\x00"}, {"text": "x" * 501}, {"image": "!"})),
        {"values": [{"field": "a", "text": "x", "checked": True}]},
        {"values": [{"text": "x"}]},
        *({"new_fields": [{"name": "a", **each}]} for each in ({"kind": "radio"}, {"kind": "text"})),
        {"new_fields": [{"name": "a.b", "kind": "text", "box": [0, 0, 9, 9]}]},
        {"new_fields": [{"name": "a", "kind": "text", "box": [0, 0, 9, 9], "lock": ["b"]}]},
        {"new_fields": [{"name": "a", "lock": "b"}]},
        {"new_fields": [{"name": "a"}] * 301},
    ],
)
def test_what_is_malformed_is_refused_before_anything_is_done(bent: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError):
        parse_options(bent)


def test_what_is_asked_for_arrives_in_the_child() -> None:
    asked = parse_options(
        {
            "field": "Alice",
            "new_fields": [
                {"name": "Alice", "page": 1, "box": [50, 40, 250, 100], "lock": ["t"]},
                {"name": "Bob"},
                {"name": "t", "kind": "text", "label": "Purpose", "page": 1, "box": [50, 300, 250, 340]},
            ],
            "values": [
                {"field": "t", "text": "one\ntwo"},
                {"field": "i", "text": "BE", "image": base64.b64encode(picture()).decode()},
                {"field": "c", "checked": True},
            ],
        }
    )
    assert asked.new_fields[0] == NewField("Alice", ALICE, lock=("t",))
    assert asked.new_fields[1] == NewField("Bob", None)
    assert [each.checked for each in asked.values] == [False, False, True]
    assert SignatureOptions.from_json(asked.to_json()) == asked
