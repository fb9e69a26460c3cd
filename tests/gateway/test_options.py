"""What a signature may say and look like, and what is refused by name (yardsticks G2, G3, G11, G12, G13, G15)."""

import base64
import io
import tempfile
from collections.abc import Callable
from typing import Any

import pypdfium2
import pytest
from asn1crypto.x509 import Certificate
from PIL import Image, ImageChops
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.fields import (
    FieldMDPAction,
    FieldMDPSpec,
    MDPPerm,
    SigFieldSpec,
    SigSeedValFlags,
    SigSeedValueSpec,
    append_signature_field,
)
from pyhanko.sign.validation import read_certification_data, validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from gateway.errors import (
    BoxOffPageError,
    CertificationNotFirstError,
    FieldConstrainedError,
    FieldLockedError,
    FieldNameTakenError,
    FontMissingError,
    GatewayError,
    ImageUnreadableError,
    PageChangedError,
    PageOutOfRangeError,
)
from gateway.pades.algorithms import HASHES
from gateway.pades.appearance import read_image
from gateway.pades.complete import complete_document
from gateway.pades.inspect import inspect_document
from gateway.pades.options import Appearance, FieldLock, NewField, Place, SignatureOptions, SignaturePolicy
from gateway.pades.raster import compare_pages
from gateway.pades.values import SignatureRequest
from tests.gateway.conftest import User
from tests.gateway.remote import Remote
from tests.support import pdfs
from tests.support.authority import Authority
from tests.support.whole_files import prepare_whole

AUTHORITY = Authority()
ALICE = AUTHORITY.issue("Alice Example")
SIGN_ALGO = "1.2.840.10045.4.3.2"
FONTS = ("/usr/share/fonts/truetype/noto", "/usr/share/fonts/opentype/unifont")
BOX = (50.0, 40.0, 250.0, 100.0)


def sign(pdf: bytes, name: str = "Alice", *, pages: int = 1, **options: Any) -> bytes:
    """What gateway does to a document, with a key that is at hand: prepare, sign, complete."""
    request = SignatureRequest(
        chain=tuple(ALICE.chain),
        sign_algo=SIGN_ALGO,
        field_name=name,
        pages=pages,
        options=SignatureOptions(field_name=name, **options),
        font_folders=FONTS,
    )
    with tempfile.TemporaryFile() as output:
        output.write(pdf)
        output.seek(0)
        prepared, areas = prepare_whole(output, request)
        compare_pages(output, len(pdf), areas)
        digest = HASHES["sha256"][1]
        value = ALICE.sign_digest(_hash(prepared.signed_attributes), digest)
        complete_document(output, chain=ALICE.chain, sign_algo=SIGN_ALGO, prepared=prepared, value=value)
        output.seek(0)
        return output.read()


def _hash(data: bytes) -> bytes:
    import hashlib

    return hashlib.sha256(data).digest()


def statuses(pdf: bytes) -> list[Any]:
    context = ValidationContext(trust_roots=[Certificate.load(AUTHORITY.certificate)], allow_fetching=False)
    return [validate_pdf_signature(each, context) for each in PdfFileReader(io.BytesIO(pdf)).embedded_signatures]


def draw(pdf: bytes, page: int) -> Image.Image:
    document = pypdfium2.PdfDocument(pdf)
    document.init_forms()
    image: Image.Image = document[page].render(scale=1).to_pil()
    return image


def picture(size: tuple[int, int] = (40, 20), mode: str = "RGBA", kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, {"L": 100, "1": 0, "RGBA": (0, 0, 200, 255)}[mode]).save(out, kind)
    return out.getvalue()


def turned_pdf() -> bytes:
    """Four pages, each turned another way, cropped, with a MediaBox that begins below zero; the last two measure in a
    unit of their own."""
    objects = pdfs.document_objects(pages=4)
    for index, (turned, unit) in enumerate([(0, 1), (90, 1), (180, 2), (270, 2)]):
        size = b"/MediaBox [-100 -50 495 792] /CropBox [-50 0 445 900] /Rotate %d /UserUnit %d" % (turned, unit)
        number = 4 + 2 * index
        objects[number] = objects[number].replace(b"/MediaBox [0 0 595 842]", size)
    return pdfs.assemble(objects)


# --- Visible signatures ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "shows",
    [
        Appearance(text="Alice Example\n25 November"),
        Appearance(image=picture()),
        Appearance(image=picture(mode="L", kind="JPEG"), text="Alice", qr="https://example.org/v/1"),
    ],
    ids=["typed", "image", "all"],
)
def test_g15_a_visible_signature_stands_where_it_was_asked_for_and_nowhere_else(page: int, shows: Appearance) -> None:
    pdf = turned_pdf()
    signed = sign(pdf, pages=4, place=Place(page, BOX), appearance=shows)
    unit = 2 if page > 2 else 1
    left, bottom, right, top = (value / unit for value in BOX)
    for index in range(4):
        before, after = draw(pdf, index), draw(signed, index)
        changed = ImageChops.difference(before, after).getbbox()
        if index != page - 1:
            assert changed is None
            continue
        assert changed is not None
        assert changed[0] >= left - 1
        assert changed[2] <= right + 1
        assert changed[1] >= after.height - top - 1
        assert changed[3] <= after.height - bottom + 1
    assert all(each.bottom_line for each in statuses(signed))


def test_text_stands_upright_whichever_way_the_page_is_turned() -> None:
    shows = Appearance(text="FFFFFFFF")
    drawn = []
    for page in (1, 2):
        signed = sign(turned_pdf(), pages=4, place=Place(page, BOX), appearance=shows)
        image = draw(signed, page - 1).convert("L")
        drawn.append(image.crop((50, image.height - 100, 250, image.height - 40)))
    assert drawn[0].getextrema()[0] < 128
    # The same picture, but for the soft edges of a pixel.
    difference = ImageChops.difference(*drawn).point(lambda value: 255 if value > 200 else 0)
    assert difference.getbbox() is None


@pytest.mark.parametrize(
    "text",
    [
        "Żółć",
        "Привет",
        "Ωμέγα",
        "שלום abc 12",
        "مرحبا بالعالم",
        "नमस्ते",
        "漢字かな交じり文",
        "한글",
        "ไทย",
        "∑ ♥ 𝔸",
        "ქართული",
    ],
)
def test_text_of_any_script_is_embedded_and_can_be_read_out(text: str) -> None:
    signed = sign(pdfs.make_pdf(), place=Place(1, BOX), appearance=Appearance(text=text))
    field = PdfFileReader(io.BytesIO(signed)).root["/AcroForm"]["/Fields"][0]
    fonts = field["/AP"]["/N"]["/Resources"]["/Font"]
    for name in fonts:
        descendant = fonts[name]["/DescendantFonts"][0]
        assert {"/FontFile2", "/FontFile3"} & set(descendant["/FontDescriptor"])
        assert "/ToUnicode" in fonts[name]
    assert ImageChops.difference(draw(pdfs.make_pdf(), 0), draw(signed, 0)).getbbox()


PLACES: list[tuple[Place, type[GatewayError]]] = [
    *((Place(page, BOX), PageOutOfRangeError) for page in (0, -1, 5, 10_000)),
    *((Place(1, box), BoxOffPageError) for box in ((-1, 0, 50, 50), (450, 0, 496, 50), (0, 0, 50, 793), (9, 9, 9, 9))),
    *((Place(1, box), BoxOffPageError) for box in ((50, 50, 40, 60), (0, 0, 0.5, 50))),
]


@pytest.mark.parametrize(("place", "refusal"), PLACES)
def test_g15_a_place_that_is_not_on_the_page_is_refused(place: Place, refusal: type[GatewayError]) -> None:
    with pytest.raises(refusal):
        sign(turned_pdf(), pages=4, place=place, appearance=Appearance(text="Alice"))
    with pytest.raises(refusal):
        sign(turned_pdf(), pages=4, new_fields=(NewField("Bob", place),))


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", picture()[:60], b"\x89PNG\r\n\x1a\n" + bytes(100), picture((6000, 6000), "1")]
)
def test_a_picture_that_is_none_or_too_large_is_refused(data: bytes) -> None:
    with pytest.raises(ImageUnreadableError):
        sign(pdfs.make_pdf(), place=Place(1, BOX), appearance=Appearance(image=data or b"x"))


@pytest.mark.parametrize("text", ["\U000f0000", "\u202e"], ids=["private", "nothing to see"])
def test_a_character_that_no_font_has_is_refused(text: str) -> None:
    with pytest.raises(FontMissingError):
        sign(pdfs.make_pdf(), place=Place(1, BOX), appearance=Appearance(text=text))


# --- Fields, locks, certification -----------------------------------------------------------------------------


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_certification_says_what_may_change(level: int) -> None:
    signed = sign(pdfs.make_pdf(), certify=level)
    certification = read_certification_data(PdfFileReader(io.BytesIO(signed)))
    assert certification is not None
    assert certification.permission is MDPPerm(level)
    assert [each.bottom_line for each in statuses(signed)] == [True]
    if level == 1:
        with pytest.raises(GatewayError, match="allows no further changes"):
            inspect_document(io.BytesIO(signed), max_pages=10)
    else:
        assert [each.bottom_line for each in statuses(sign(signed, "Bob"))] == [True, True]


def test_only_the_first_signature_certifies() -> None:
    with pytest.raises(CertificationNotFirstError):
        sign(sign(pdfs.make_pdf()), "Bob", certify=2)


def test_fields_are_made_for_later_signers_and_signed_into() -> None:
    new = (NewField("Bob", Place(1, BOX)), NewField("Board.Carol", Place(1, (300, 40, 500, 100))))
    first = sign(pdfs.make_pdf(), new_fields=new)
    second = sign(first, "Bob", appearance=Appearance(text="Bob"))
    third = sign(second, "Board.Carol")
    assert [each.bottom_line for each in statuses(third)] == [True, True, True]
    changed = ImageChops.difference(draw(first, 0), draw(second, 0)).getbbox()
    assert changed is not None
    assert changed[0] >= 49
    names = [name for name, _, _ in _fields(third)]
    assert names == ["Alice", "Bob", "Board.Carol"] or set(names) == {"Alice", "Bob", "Board.Carol"}


def _fields(pdf: bytes) -> Any:
    from pyhanko.sign.fields import enumerate_sig_fields

    return enumerate_sig_fields(PdfFileReader(io.BytesIO(pdf)))


@pytest.mark.parametrize("name", ["Alice", "Text", "Text.below"])
def test_g15_a_name_that_is_taken_is_refused(name: str) -> None:
    objects = pdfs.document_objects()
    objects[6] = b"<< /FT /Tx /T (Text) /Type /Annot /Subtype /Widget /Rect [0 0 10 10] /P 4 0 R >>"
    objects[4] = objects[4].replace(b"/Contents", b"/Annots [6 0 R] /Contents")
    objects[1] = b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [6 0 R] >> >>"
    signed = sign(pdfs.assemble(objects))
    with pytest.raises(FieldNameTakenError):
        sign(signed, name)
    with pytest.raises(FieldNameTakenError):
        sign(signed, "Bob", new_fields=(NewField(name, Place(1, BOX)),))


LOCKS = [
    (FieldLock("All"), "Bob", True),
    (FieldLock("Include", ("Bob",)), "Bob", True),
    (FieldLock("Include", ("Bob",)), "Bob.second", True),
    (FieldLock("Include", ("Carol",)), "Bob", False),
    (FieldLock("Exclude", ("Bob",)), "Bob", False),
    (FieldLock("Exclude", ("Carol",)), "Bob", True),
]


@pytest.mark.parametrize(("lock", "name", "locked"), LOCKS)
def test_g15_a_field_that_an_earlier_signature_locked_is_not_signed(lock: FieldLock, name: str, locked: bool) -> None:
    first = sign(pdfs.make_pdf(), lock=lock)
    if locked:
        with pytest.raises(FieldLockedError):
            sign(first, name)
    else:
        assert [each.bottom_line for each in statuses(sign(first, name))] == [True, True]
    if lock.action == "All":
        with pytest.raises(FieldLockedError):
            inspect_document(io.BytesIO(first), max_pages=10)


def with_empty_field(**spec: Any) -> bytes:
    writer = IncrementalPdfFileWriter(io.BytesIO(pdfs.make_pdf()))
    append_signature_field(writer, SigFieldSpec("Bob", box=(50, 50, 200, 100), **spec))
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_the_lock_of_the_field_that_is_signed_holds_afterwards() -> None:
    pdf = with_empty_field(field_mdp_spec=FieldMDPSpec(FieldMDPAction.ALL), doc_mdp_update_value=MDPPerm.FILL_FORMS)
    with pytest.raises(FieldLockedError):
        sign(sign(pdf, "Bob"), "Carol")
    with pytest.raises(FieldConstrainedError):
        sign(pdf, "Bob", lock=FieldLock("All"))


def test_a_field_whose_conditions_are_not_met_is_refused() -> None:
    seed = SigSeedValueSpec(flags=SigSeedValFlags.REASONS, reasons=["I am the tenant"])
    pdf = with_empty_field(seed_value_dict=seed)
    with pytest.raises(FieldConstrainedError):
        sign(pdf, "Bob", reason="Because")
    assert [each.bottom_line for each in statuses(sign(pdf, "Bob", reason="I am the tenant"))] == [True]


# --- What the signature says ------------------------------------------------------------------------------------


def test_what_is_said_is_signed() -> None:
    policy = SignaturePolicy("1.3.6.1.4.1.99999.1", "sha256", bytes(32), "https://example.org/policy.pdf")
    signed = sign(
        pdfs.make_pdf(),
        location="Lyon",
        contact="alice@example.org",
        policy=policy,
        commitment="approval",
        roles=("Tenant",),
    )
    [signature] = PdfFileReader(io.BytesIO(signed)).embedded_signatures
    said = {name: signature.sig_object.get(f"/{name}") for name in ("Location", "ContactInfo", "Reason")}
    assert said == {"Location": "Lyon", "ContactInfo": "alice@example.org", "Reason": None}
    attributes = {each["type"].native: each["values"][0] for each in signature.signer_info["signed_attrs"]}
    identifier = attributes["signature_policy_identifier"].chosen
    assert identifier["sig_policy_id"].native == policy.oid
    assert identifier["sig_policy_hash"]["digest"].native == policy.digest
    assert attributes["commitment_type"]["commitment_type_id"].native == "proof_of_approval"
    [role] = attributes["signer_attributes_v2"]["claimed_attributes"]
    assert b"Tenant" in role.dump()
    assert [each.bottom_line for each in statuses(signed)] == [True]


MEMBERS: list[dict[str, Any]] = [
    *({"certify": value} for value in (0, 4, True, "1", 1.5)),
    *({"field": value} for value in (".a", "a.", "a..b", "x" * 65, " a", 7, "a\nb")),
    *(
        {"lock": value}
        for value in ("all", {}, {"action": "some"}, {"action": "all", "fields": ["a"]}, {"action": "include"})
    ),
    *({"appearance": value} for value in ([], {}, {"text": " "}, {"text": 3}, {"text": "a\x00"}, {"text": "x" * 501})),
    *({"appearance": {"text": "a", "box": box}} for box in ([1, 2, 3], "1234", [1, 2, 3, "4"], [1, 2, 3, True])),
    *({"appearance": {"text": "a", "box": [1, 2, 30, 40], "page": page}} for page in (True, "1", 1.5, None)),
    *({"appearance": {"image": image}} for image in ("", "!", 4, base64.b64encode(bytes(600_000)).decode())),
    *({"policy": value} for value in ({}, {"oid": "x", "digest": "AA=="}, {"oid": "1.2", "digest": "AA=="})),
    *({"commitment": value} for value in ("proof", 1)),
    {"commitment": "approval", "reason": "I agree"},
    *({"roles": value} for value in ("Tenant", [1], [""], ["x"] * 11)),
    *(
        {"new_fields": value}
        for value in ({}, ["a"], [{"name": ""}], [{"name": "a", "page": 1}], [{"name": "a", "box": [1]}])
    ),
]


@pytest.mark.parametrize("members", MEMBERS, ids=str)
def test_an_option_that_is_none_is_refused(alice: User, members: dict[str, Any], opened: str) -> None:
    answer = alice.prepare(opened, "credential", **members)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.fixture
def opened(alice: User) -> str:
    """A job of no document in particular: nothing of it is looked at."""
    from django.utils import timezone

    from gateway.models import Job

    job = Job.objects.create(
        issuer=_issuer(),
        subject=alice.subject,
        document_name="a.pdf",
        document_pages=1,
        document_size=1,
        document_sha256="0" * 64,
        expires_at=timezone.now(),
    )
    return str(job.pk)


def _issuer() -> str:
    from django.conf import settings

    return str(settings.ISSUER)


def test_options_go_all_the_way(alice: User, remote: Remote, work: Callable[[str], None]) -> None:
    job_id = alice.open_job().json()["job_id"]
    prepared = alice.prepare(
        job_id,
        remote.add_credential(alice.subject, "p256"),
        field="Tenant",
        certify=2,
        location="Lyon",
        commitment="approval",
        appearance={"page": 2, "box": list(BOX), "text": "Alice Example\nLyon", "image": _encoded(picture())},
        new_fields=[{"name": "Landlord", "page": 3, "box": list(BOX)}],
    )
    assert prepared.status_code == 200, prepared.content
    url = alice.ask(job_id).json()["authorization_url"]
    assert alice.complete(job_id, remote.approve(url, alice.subject)).status_code == 202
    work(job_id)
    signed = alice.download(job_id)
    assert [(name, value is None) for name, value, _ in _fields(signed)] == [("Landlord", True), ("Tenant", False)]
    refused = alice.open_job(signed).json()["job_id"]
    answer = alice.prepare(refused, remote.add_credential(alice.subject, "p256"), field="Tenant")
    assert (answer.status_code, answer.json()["error"]) == (422, "field_name_taken")


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


# --- Many signers, and files that are odd already -----------------------------------------------------------------


def test_twenty_sign_one_after_the_other_and_all_stay_valid() -> None:
    pdf = pdfs.make_pdf()
    for number in range(20):
        pdf = sign(pdf, f"Signer-{number}")
        if number in {0, 9}:
            assert all(each.bottom_line for each in statuses(pdf))
    found = statuses(pdf)
    assert [each.bottom_line for each in found] == [True] * 20
    assert {each.modification_level for each in found[:-1]} == {ModificationLevel.FORM_FILLING}


def test_g11_a_signature_that_was_there_is_as_good_as_before() -> None:
    pdf = pdfs.make_signed_pdf()
    signed = sign(pdf)
    assert signed.startswith(pdf)
    carol, alice = statuses(signed)
    assert (carol.intact, carol.valid, carol.docmdp_ok) == (True, True, True)
    assert alice.bottom_line


@pytest.mark.parametrize("broken", [b"<< /Type /Sig /ByteRange [0 0 0 0] /Contents <00> >>", b"<< >>"])
def test_g12_a_broken_signature_hides_no_other(broken: bytes) -> None:
    objects = pdfs.document_objects()
    objects[6] = b"<< /FT /Sig /T (Old) /V 7 0 R /Type /Annot /Subtype /Widget /Rect [0 0 0 0] /P 4 0 R >>"
    objects[7] = broken
    objects[4] = objects[4].replace(b"/Contents", b"/Annots [6 0 R] /Contents")
    objects[1] = b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [6 0 R] /SigFlags 3 >> >>"
    pdf = pdfs.assemble(objects)
    assert inspect_document(io.BytesIO(pdf), max_pages=5).signatures == 1
    signed = sign(pdf)
    [ours] = [each for each in PdfFileReader(io.BytesIO(signed)).embedded_signatures if each.field_name == "Alice"]
    context = ValidationContext(trust_roots=[Certificate.load(AUTHORITY.certificate)], allow_fetching=False)
    assert validate_pdf_signature(ours, context).bottom_line


XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/"><pdfaid:part>2</pdfaid:part>'
    "<pdfaid:conformance>B</pdfaid:conformance></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_g13_what_makes_a_file_pdf_a_is_still_there(encoding: str) -> None:
    objects = pdfs.document_objects()
    data = XMP.encode(encoding)
    objects[6] = b"<< /Type /Metadata /Subtype /XML /Length %d >>\nstream\n%s\nendstream" % (len(data), data)
    objects[1] = b"<< /Type /Catalog /Pages 2 0 R /Metadata 6 0 R >>"
    pdf = pdfs.assemble(objects, trailer=b"/ID [<00> <00>]")
    signed = sign(pdf, place=Place(1, BOX), appearance=Appearance(text="Alice"))
    assert signed.count(b"/Metadata 6 0 R") == 2
    assert signed.count(data) == 1
    root = PdfFileReader(io.BytesIO(signed)).root
    field = root["/AcroForm"]["/Fields"][0]
    # Printed, not hidden (ISO 19005-2, 6.3.2), with an appearance (6.3.3) and embedded fonts (6.2.11.4).
    assert int(field["/F"]) & 0b100110 == 0b100
    assert "/N" in field["/AP"]
    assert [each.bottom_line for each in statuses(signed)] == [True]


def test_g2_a_page_that_signing_would_change_is_refused() -> None:
    """An update without its end is shown before signing and gone after it."""
    before = pdfs.make_unfinished_update_pdf()
    after = pdfs.make_pdf()
    with tempfile.TemporaryFile() as file:
        file.write(after)
        file.write(before[len(after) :] + b"%%EOF\n")
        file.flush()
        with pytest.raises(PageChangedError):
            compare_pages(file, len(after), ())


def test_g2_pages_are_compared_as_long_as_there_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    pdf = pdfs.make_pdf(pages=9)
    with tempfile.TemporaryFile() as file:
        file.write(sign(pdf, pages=9))
        file.flush()
        assert compare_pages(file, len(pdf), ()) == 9
        monkeypatch.setattr("gateway.pades.raster._SECONDS", -1.0)
        assert compare_pages(file, len(pdf), ()) == 1


@pytest.mark.parametrize(("side", "fits"), [(4000, True), (4001, False)])
def test_an_image_of_too_many_pixels_is_not_unpacked_and_others_have_limits_of_their_own(side: int, fits: bool) -> None:
    before, out = Image.MAX_IMAGE_PIXELS, io.BytesIO()
    Image.new("1", (side, side)).save(out, "PNG")
    if fits:
        assert read_image(out.getvalue()).width < side
    else:
        with pytest.raises(ImageUnreadableError):
            read_image(out.getvalue())
    assert before == Image.MAX_IMAGE_PIXELS
