"""What is PDF/A stays PDF/A of the same part and level, whatever is signed (yardstick G13). veraPDF says so."""

import hashlib
import io
import re
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pikepdf
import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from PIL import Image, ImageDraw
from pyhanko.pdf_utils.reader import PdfFileReader

from gateway.clients import sources as fetching
from gateway.pades.complete import complete_document
from gateway.pades.levels import Evidence, Trust
from gateway.pades.options import Appearance, FieldLock, FieldValue, NewField, Place, SignatureOptions
from gateway.pades.pdfa import Claim, read_claim
from gateway.pades.raster import compare_pages
from gateway.pades.values import SignatureRequest
from gateway.pades.verify import Expected, verify_document
from gateway.services import levels
from tests.gateway import remote as remote_side
from tests.gateway.remote import Remote
from tests.support import pdfs
from tests.support.authority import Authority
from tests.support.pdfa.checker import Checker, pdfa_checker
from tests.support.pdfa.samples import FLAVOURS, make_pdfa
from tests.support.whole_files import prepare_whole

pytestmark = pytest.mark.xdist_group("pdfa")

PKI = "http://localhost:8000/pki"
AUTHORITY = Authority(responder=f"{PKI}/ocsp", revocation_list=f"{PKI}/crl")
ALICE = AUTHORITY.issue("Alice Example")
SIGN_ALGO = "1.2.840.10045.4.3.2"
FONTS = ("/usr/share/fonts/truetype/noto", "/usr/share/fonts/opentype/unifont")
PLACE, NEXT = Place(1, (50, 40, 250, 100)), Place(1, (300, 40, 500, 100))


@pytest.fixture(scope="module")
def checker() -> Iterator[Checker]:
    with pdfa_checker() as process:
        yield process


@pytest.fixture
def conforms(checker: Checker) -> Callable[[bytes, str], None]:
    def check(pdf: bytes, flavour: str) -> None:
        verdict = checker.check(pdf)
        assert (verdict.broken, verdict.flavour) == ({}, flavour)

    return check


Conforms = Callable[[bytes, str], None]


@pytest.fixture
def remote(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Remote:
    settings.CLIENT_TRANSPORT = "tests.gateway.remote.transport_for"
    fresh = Remote(authority=AUTHORITY)
    monkeypatch.setattr(remote_side, "current", fresh)
    fetching.forget()
    return fresh


def sign(pdf: bytes, name: str = "Alice", *, level: str = "B-B", **options: Any) -> bytes:
    """What gateway does to a document, to its last look at it, with a key that is at hand."""
    request = SignatureRequest(
        chain=tuple(ALICE.chain),
        sign_algo=SIGN_ALGO,
        field_name=name,
        pages=1,
        level=level,
        options=SignatureOptions(field_name=name, **options),
        font_folders=FONTS,
    )
    trust = Trust((AUTHORITY.certificate,), (AUTHORITY.certificate,))
    with tempfile.TemporaryFile() as file:
        file.write(pdf)
        file.seek(0)
        prepared, areas = prepare_whole(file, request)
        compare_pages(file, len(pdf), areas)
        value = ALICE.sign_digest(hashlib.sha256(prepared.signed_attributes).digest(), SHA256())
        stamp = levels.stamp_signature(value=value, trust=trust) if level != "B-B" else None
        token = stamp.token if stamp else None
        complete_document(file, chain=ALICE.chain, sign_algo=SIGN_ALGO, prepared=prepared, value=value, timestamp=token)
        if stamp and level != "B-T":
            levels.add_evidence(file, level=level, signers=levels.Signers(ALICE.chain, stamp), trust=trust)
        expected = Expected(tuple(ALICE.chain), name, level, len(pdf), hashlib.sha256(pdf).hexdigest())
        verified = verify_document(file, expected=expected, trust=trust)
        assert verified.level == level
        compare_pages(file, verified.revision_size, ())
        file.seek(0)
        return file.read()


def drawn() -> bytes:
    """A stroke on nothing, as a pen makes it."""
    image = Image.new("RGBA", (60, 30))
    ImageDraw.Draw(image).line([(2, 25), (30, 4), (58, 20)], fill=(20, 30, 160, 200), width=3)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def photograph() -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").resize((40, 20)).convert("RGB").save(out, "JPEG")
    return out.getvalue()


# --- A check that cannot fail is none ---------------------------------------------------------------------------


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_samples_are_what_they_claim_to_be(conforms: Conforms, flavour: str) -> None:
    conforms(make_pdfa(flavour), flavour)


@pytest.mark.parametrize("spoilt", ["font", "intent", "id", "xmp"])
@pytest.mark.parametrize("flavour", ["1b", "2b", "4"])
def test_what_is_spoilt_is_told(checker: Checker, flavour: str, spoilt: str) -> None:
    verdict = checker.check(make_pdfa(flavour, spoilt=spoilt))
    assert verdict.broken
    assert verdict.flavour == ("0" if spoilt == "xmp" else flavour)


def test_what_gateway_draws_is_looked_at(checker: Checker) -> None:
    """A signature that is transparent in a file that claims part 1 only once it is signed."""
    signed = sign(make_pdfa("2b"), place=PLACE, appearance=Appearance(image=drawn(), text="Alice"))
    verdict = checker.check(signed.replace(b'pdfaid:part="2"', b'pdfaid:part="1"'))
    assert verdict.flavour == "1b"
    assert {"6.4-2", "6.3.5-3"} <= set(verdict.broken)


# --- What is signed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flavour", "level"),
    [
        *((flavour, "B-LTA") for flavour in FLAVOURS),
        *((flavour, level) for flavour in ("1b", "2b", "4") for level in ("B-B", "B-T", "B-LT")),
    ],
)
def test_g13_pdf_a_stays_pdf_a_at_every_level(remote: Remote, conforms: Conforms, flavour: str, level: str) -> None:
    conforms(sign(make_pdfa(flavour), level=level), flavour)


LETTERS = "Alice Example\nŻółć Привет Ωμέγα"
SHOWS = {
    "typed": Appearance(text=LETTERS),
    "drawn": Appearance(image=drawn()),
    "photograph": Appearance(image=photograph()),
    "code": Appearance(qr="https://example.org/verify"),
    "all": Appearance(image=drawn(), text="Alice Example", qr="https://example.org/verify"),
}
KINDS = ("typed", "drawn", "photograph", "code")


@pytest.mark.parametrize(
    ("flavour", "shows"),
    [
        *((flavour, "all") for flavour in FLAVOURS),
        *((flavour, kind) for flavour in ("1b", "2u", "4") for kind in KINDS),
    ],
)
def test_g13_pdf_a_stays_pdf_a_with_a_visible_signature(
    remote: Remote, conforms: Conforms, flavour: str, shows: str
) -> None:
    level = "B-LTA" if shows == "all" else "B-B"
    conforms(sign(make_pdfa(flavour), level=level, place=PLACE, appearance=SHOWS[shows]), flavour)


SCRIPTS = ["שלום abc 12", "مرحبا بالعالم", "नमस्ते क्षत्रिय", "ไทย น้ำ", "漢字 한글", "∑ ♥ 𝔸 e\u0301 ffi"]


@pytest.mark.parametrize("text", SCRIPTS)
@pytest.mark.parametrize("flavour", ["1b", "2u", "4"])
def test_g13_pdf_a_stays_pdf_a_with_text_of_any_script(conforms: Conforms, flavour: str, text: str) -> None:
    """Part 1 asks for what is embedded to be listed; level U, and part 4, for a meaning of each glyph: the right one,
    whichever way the line runs, and however many glyphs stand for however many characters."""
    signed = sign(make_pdfa(flavour), place=PLACE, appearance=Appearance(text=text))
    conforms(signed, flavour)
    fonts = PdfFileReader(io.BytesIO(signed)).root["/AcroForm"]["/Fields"][0]["/AP"]["/N"]["/Resources"]["/Font"]
    assert all(name == f"/F{fonts.raw_get(name).idnum}" for name in fonts), "two fonts may come to share a name"
    meanings = [meaning for name in fonts for meaning in read_meanings(fonts[name]["/ToUnicode"].data)]
    assert all(meanings)
    assert set("".join(meanings)) - {"\u200b"} == set(text)


def read_meanings(mapped: bytes) -> list[str]:
    """What a ToUnicode CMap says of each glyph."""
    _, _, mappings = mapped.decode("ascii").partition("endcodespacerange")
    # One glyph and its meaning, or a range of them and the meanings in brackets.
    found = re.findall(r"^<\w+> (?:<(\w*)>|<\w+> \[(.*)\])$", mappings, re.MULTILINE)
    values = [value for one, many in found for value in (re.findall(r"<(\w*)>", many) if many else [one])]
    return [bytes.fromhex(value).decode("utf-16-be") for value in values]


@pytest.mark.parametrize("intent", ["GRAY", ""], ids=["grey", "none"])
@pytest.mark.parametrize("flavour", ["1b", "2b", "4"])
def test_g13_colours_are_those_of_no_device(conforms: Conforms, flavour: str, intent: str) -> None:
    """Where no output intent says what a device's red is, and where nobody says what a transparent one is mixed in."""
    pdf = make_pdfa(flavour, intent=intent)
    conforms(pdf, flavour)
    conforms(sign(pdf, place=PLACE, appearance=SHOWS["all"]), flavour)


@pytest.mark.parametrize("flavour", ["1b", "2a", "3b", "4"])
def test_g13_pdf_a_stays_pdf_a_with_fields_locks_and_two_signers(
    remote: Remote, conforms: Conforms, flavour: str
) -> None:
    """Certified, with fields that are filled and locked; then the next signer, into the field that was made for her."""
    first = sign(
        make_pdfa(flavour),
        certify=2,
        place=PLACE,
        appearance=Appearance(text="Alice"),
        lock=FieldLock("Include", ("Name", "Agreed", "Initials")),
        new_fields=(
            NewField("Bob", NEXT, lock=("Left",)),
            NewField("Name", Place(1, (50, 200, 250, 220)), "text", "Your name"),
            NewField("Initials", Place(1, (50, 240, 100, 260)), "text"),
            NewField("Left", Place(1, (50, 280, 100, 300)), "text"),
            NewField("Agreed", Place(1, (300, 200, 320, 220)), "checkbox", "Agreed"),
        ),
        values=(
            FieldValue("Name", "Alice Example"),
            FieldValue("Initials", "AE", image=drawn()),
            FieldValue("Agreed", checked=True),
        ),
        reason="I agree",
        location="Lyon",
    )
    conforms(first, flavour)
    second = sign(first, "Bob", level="B-LTA", appearance=SHOWS["all"], values=(FieldValue("Left"),))
    conforms(second, flavour)
    conforms(sign(second, "Carol", level="B-T"), flavour)


@pytest.mark.parametrize("flavour", ["1b", "2b", "4"])
def test_g13_an_archive_that_is_renewed_stays_pdf_a(remote: Remote, conforms: Conforms, flavour: str) -> None:
    trust = Trust((AUTHORITY.certificate,), (AUTHORITY.certificate,))
    with tempfile.TemporaryFile() as file:
        file.write(sign(make_pdfa(flavour), level="B-LTA", place=PLACE, appearance=SHOWS["typed"]))
        levels.add_archive_timestamp(file, evidence=Evidence(), trust=trust)
        file.seek(0)
        renewed = file.read()
    assert len(PdfFileReader(io.BytesIO(renewed)).embedded_timestamp_signatures) == 2
    conforms(renewed, flavour)


@pytest.mark.parametrize("flavour", ["1b", "2b", "4"])
def test_g13_a_file_whose_last_line_has_no_end(conforms: Conforms, flavour: str) -> None:
    pdf = make_pdfa(flavour).rstrip(b"\n")
    conforms(pdf, flavour)
    conforms(sign(pdf), flavour)


def test_g13_a_file_of_pdf_1_does_not_become_one_of_pdf_2() -> None:
    """The curve is one of those that an extension of PDF 2.0 names."""
    for flavour, version in {"1b": "/1.7", "2b": None, "4": None}.items():
        root = PdfFileReader(io.BytesIO(sign(make_pdfa(flavour)))).root
        assert root.get("/Version") == version
        assert ("/ISO_" in root.get("/Extensions", {})) is (flavour == "4")


def test_a_transparent_picture_is_seen_on_white_in_part_1_alone() -> None:
    for flavour, intent, transparent in [("1b", "RGB", False), ("2b", "RGB", True), ("2b", "", False)]:
        signed = sign(make_pdfa(flavour, intent=intent), place=PLACE, appearance=Appearance(image=drawn()))
        field = PdfFileReader(io.BytesIO(signed)).root["/AcroForm"]["/Fields"][0]
        picture = field["/AP"]["/N"]["/Resources"]["/XObject"]["/Picture"]
        assert ("/SMask" in picture) is transparent
        assert struct.unpack("3B", picture.data[:3]) == ((0, 0, 0) if transparent else (255, 255, 255))


@pytest.mark.parametrize(
    ("flavour", "how"),
    [
        ("1b", {"linearize": True}),
        ("2b", {"linearize": True}),
        ("2b", {"object_stream_mode": pikepdf.ObjectStreamMode.generate}),
        ("4", {"object_stream_mode": pikepdf.ObjectStreamMode.generate}),
    ],
    ids=["1b linearized", "2b linearized", "2b in streams", "4 in streams"],
)
def test_g13_however_the_file_is_laid_out(conforms: Conforms, flavour: str, how: dict[str, Any]) -> None:
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(make_pdfa(flavour))) as document:
        document.save(out, fix_metadata_version=False, **how)
    conforms(out.getvalue(), flavour)
    conforms(sign(out.getvalue(), place=PLACE, appearance=SHOWS["all"]), flavour)


# --- What a file claims -------------------------------------------------------------------------------------------


def claiming(metadata: bytes, *, catalogue: bytes = b"/Metadata 6 0 R") -> bytes:
    objects = pdfs.document_objects()
    objects[1] = b"<< /Type /Catalog /Pages 2 0 R %s >>" % catalogue
    objects[6] = metadata
    return pdfs.assemble(objects)


def xmp(text: str, encoding: str = "utf-8") -> bytes:
    return pdfs.stream_object(text.encode(encoding), b"/Type /Metadata /Subtype /XML")


CLAIMS = [
    *((xmp("<pdfaid:part>1</pdfaid:part>", encoding), 1) for encoding in ("utf-8", "utf-16", "utf-16-be", "utf-32")),
    (xmp("<rdf:Description pdfaid:part = '4' pdfaid:rev='2020'/>"), 4),
    (xmp("<pdfaid:part> 3 </pdfaid:part>"), 3),
    (xmp("<pdfaid:part>7</pdfaid:part>"), 0),
    (xmp("<pdfaid:part/>pdfaid:partition='1'"), 0),
    (xmp("<pdfuaid:part>1</pdfuaid:part>"), 0),
    (xmp(""), 0),
    (pdfs.stream_object(b"no Flate pdfaid:part='1'", b"/Filter /FlateDecode"), 0),
    (pdfs.stream_object(b"pdfaid:part='1'", b"/Filter /Nothing"), 0),
    (b"(pdfaid:part='1')", 0),
    (b"<< /Part 1 >>", 0),
    (b"6 0 R", 0),
    (b"null", 0),
]


@pytest.mark.parametrize(("metadata", "part"), CLAIMS)
def test_a_claim_is_read_in_any_encoding_and_nonsense_claims_nothing(metadata: bytes, part: int) -> None:
    assert read_claim(PdfFileReader(io.BytesIO(claiming(metadata)))).part == part


@pytest.mark.parametrize("intents", [b"7", b"[null]", b"[<< /S /GTS_PDFX >>]", b"[<< /S /GTS_PDFA1 >>]", b"<< >>"])
def test_an_output_intent_that_says_nothing_is_none(intents: bytes) -> None:
    pdf = claiming(xmp("pdfaid:part='2'"), catalogue=b"/Metadata 6 0 R /OutputIntents %s" % intents)
    claim = read_claim(PdfFileReader(io.BytesIO(pdf)))
    assert claim.components == 0
    assert claim == Claim() or (claim.is_opaque and claim.colour_spaces())


def test_metadata_that_unpack_without_end_claim_nothing() -> None:
    bomb = zlib.compress(bytes(16 * 1024 * 1024), 9)
    pdf = claiming(pdfs.stream_object(zlib.compress(bomb, 9), b"/Filter [/FlateDecode /FlateDecode]"))
    assert read_claim(PdfFileReader(io.BytesIO(pdf))) == Claim()
    assert len(sign(pdf)) > len(pdf)
