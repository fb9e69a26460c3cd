"""What an operator says the product is called and looks like: refused where somebody could not read it, else shown."""

import io
import json
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.test import Client, RequestFactory
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pytest_django import Settings

from config import appearance
from config.admin import AppearanceAdmin, AppearanceForm
from config.checks import check_accent
from config.colours import UnreadableColourError, contrast, derive_palette, parse_colour, write_colour
from config.logo import LogoRefusedError, draw_logo
from config.models import Appearance
from config.preview import OWN
from scripts.instance import ROOT

pytestmark = pytest.mark.django_db
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
DARK_GROUNDS = ("#12141c", "#191c27", "#0e1017")


def picture(size: tuple[int, int] = (300, 100), kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "#0b6b4f").save(out, kind, **options)
    return out.getvalue()


@given(st.tuples(*(st.integers(0, 255) for _ in range(3))))
def test_whatever_is_accepted_can_be_read_in_both_themes(colour: tuple[int, int, int]) -> None:
    try:
        palette = derive_palette(write_colour(colour))
    except UnreadableColourError as error:
        instead = next(word for word in str(error).split() if word.startswith("#"))
        assert derive_palette(instead)
        return
    for shades, grounds in ((palette.light, ("#fbfaf7", "#ffffff", "#f3f2ee")), (palette.dark, DARK_GROUNDS)):
        words = parse_colour(shades.accent)
        assert min(contrast(words, parse_colour(ground)) for ground in (*grounds, shades.soft)) >= 4.5
        for fill in (shades.fill, shades.fill_hover):
            assert contrast(parse_colour(fill), WHITE) >= 4.5
        assert min(contrast(parse_colour(shades.fill), parse_colour(ground)) for ground in grounds) >= 3


def test_contrast_is_as_the_guideline_counts_it() -> None:
    assert contrast(WHITE, BLACK) == 21
    assert round(contrast(parse_colour("#767676"), WHITE), 2) == 4.54
    assert round(contrast(parse_colour("#777777"), WHITE), 2) == 4.48


@pytest.mark.parametrize("value", ["red", "#12", "#gggggg", "23408e", "#23408e;}", "#23408e\n", ""])
def test_what_is_no_colour_is_none(value: str) -> None:
    with pytest.raises(UnreadableColourError, match="six hexadecimal"):
        parse_colour(value)


def test_a_weak_accent_is_refused_with_one_that_is_not(settings: Settings) -> None:
    form = AppearanceForm({"name": "Acme Sign", "accent": "#ffcc00"})
    assert not form.is_valid()
    assert "4.5 to 1 is needed (WCAG 2.2, 1.4.3)" in str(form.errors["accent"])
    settings.PRODUCT_ACCENT = "#ffcc00"
    assert [found.id for found in check_accent()] == ["paraph.E006"]
    settings.PRODUCT_ACCENT = "#23408e"
    assert check_accent() == []


@pytest.mark.parametrize("name", ["x" * 41, "Acme\r\nBcc: all@example.org", "<b>Acme</b>", 'Ac"me', "\u202eemca"])
def test_a_name_that_could_be_more_than_a_name_is_refused(name: str) -> None:
    [refusal] = AppearanceForm({"name": name}).errors["name"]
    assert ("40 characters" if len(name) > 40 else "Write it without quotation marks") in str(refusal)


@pytest.mark.parametrize(
    ("upload", "why"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "no picture in PNG"),
        (b"GIF89a" + b"\0" * 100, "no picture in PNG"),
        (picture()[:60], "no picture in PNG"),
        (b"\x89PNG" + b"\0" * (256 * 1024), "larger than 256 kB"),
        (picture((2001, 1)), "more than 2000 pixels"),
        (b"", "no picture in PNG"),
    ],
)
def test_a_file_that_is_no_plain_picture_is_refused(upload: bytes, why: str) -> None:
    with pytest.raises(LogoRefusedError, match=why):
        draw_logo(upload)


def test_a_logo_is_drawn_anew_in_two_sizes() -> None:
    told = picture((1600, 800), "JPEG", comment=b"<script>")
    logo, icon = draw_logo(told)
    assert b"script" not in logo + icon
    assert (Image.open(io.BytesIO(logo)).size, Image.open(io.BytesIO(icon)).size) == ((320, 160), (512, 512))
    assert Image.open(io.BytesIO(icon)).getchannel("A").getextrema() == (0, 255)


def save(changes: dict[str, Any], upload: bytes | None = None) -> None:
    """As the administration does."""
    row, _made = Appearance.objects.get_or_create(pk=1)
    files = {"new_logo": SimpleUploadedFile("logo.png", upload)} if upload else {}
    form = AppearanceForm(changes, files, instance=row)
    assert form.is_valid(), form.errors
    shown, request = AppearanceAdmin(Appearance, admin.site), RequestFactory().post("/")
    request.user = get_user_model().objects.filter(email="operator@example.test").first() or (  # type: ignore[misc]
        get_user_model().objects.create_user("operator@example.test", None, name="Operator")
    )
    shown.save_model(request, form.save(commit=False), form, change=True)
    shown.log_change(request, row, shown.construct_change_message(request, form, []))


def test_pages_the_manifest_and_the_stylesheet_show_it() -> None:
    client = Client()
    before = client.get("/appearance/nothing.png")
    assert before.status_code == 404
    assert json.loads(client.get("/manifest.webmanifest").content)["name"] == "Paraph"
    save({"name": "Acme Sign", "accent": "#0b6b4f"}, picture())
    shown = appearance.read_product()
    page = client.get("/design/nothing").content.decode()
    assert "– Acme Sign</title>" in page
    assert f'src="{shown.logo_url}" alt="Acme Sign"' in page
    assert f'href="{shown.stylesheet_url}"' in page
    assert "Paraph" not in page
    sheet = client.get(shown.stylesheet_url)
    assert (sheet["Content-Type"], sheet["Cache-Control"]) == (
        "text/css; charset=utf-8",
        "public, max-age=31536000, immutable",
    )
    assert "--accent-fill: light-dark(#0b6b4f, " in sheet.content.decode()
    manifest = client.get("/manifest.webmanifest")
    assert manifest["Content-Type"] == "application/manifest+json"
    told = json.loads(manifest.content)
    assert (told["name"], told["icons"]) == (
        "Acme Sign",
        [{"src": shown.icon_url, "type": "image/png", "sizes": "512x512"}],
    )
    for address in (shown.logo_url, shown.icon_url):
        answer = client.get(address)
        assert answer["Content-Type"] == "image/png"
        assert not answer.cookies
    assert shown.logo == client.get(shown.logo_url).content
    save({"name": "", "accent": "", "no_logo": "on"})
    assert appearance.read_product() == appearance.Product("Paraph")
    assert client.get(shown.logo_url).status_code == 404, "what was taken away is gone"


@pytest.mark.parametrize("digits", ["ffcc00", "zzzzzz", "23408e%7D", "FFF"])
def test_no_stylesheet_is_made_of_what_nobody_could_have_set(digits: str) -> None:
    assert Client().get(f"/appearance/{digits}.css").status_code == 404


def test_the_history_says_from_what_to_what() -> None:
    save({"name": "Acme Sign", "accent": "#0b6b4f"})
    save({"name": "Acme", "accent": "#0b6b4f"}, picture())
    latest = LogEntry.objects.order_by("-pk")[0].get_change_message()
    assert "Product name: “Acme Sign”, now “Acme”" in latest
    assert f"another logo, SHA-256 {appearance.read_product().checksum}" in latest


def test_what_is_saved_is_drawn_for_who_chooses_it_and_nothing_in_it_is_markup(settings: Settings) -> None:
    shown = AppearanceAdmin(Appearance, admin.site)
    before = shown.shown_now(Appearance())
    assert before.count("<svg") == 2
    assert ">Paraph</text>" in before
    assert "<image" not in before
    save({"name": "Acme & Sons", "accent": "#0b6b4f"}, picture())
    drawn = shown.shown_now(Appearance())
    assert drawn.count(f'href="{appearance.read_product().logo_url}"') == 2
    for fill in (derive_palette("#0b6b4f").light.fill, derive_palette("#0b6b4f").dark.fill):
        assert f'fill="{fill}"' in drawn
    save({"name": "Acme & Sons", "accent": "#0b6b4f", "no_logo": "on"})
    assert ">Acme &amp; Sons</text>" in shown.shown_now(Appearance())
    save({"name": "", "accent": ""})
    settings.PRODUCT_ACCENT = "#ffcc00"
    assert shown.shown_now(Appearance()) == before, "what cannot be read is on no page"


def test_the_preview_s_own_colours_are_the_stylesheet_s() -> None:
    sheet = (ROOT / "static" / "paraph.css").read_text(encoding="utf-8")
    names = {"accent": "accent", "accent-fill": "fill", "accent-fill-hover": "fill_hover", "accent-soft": "soft"}
    for token, name in names.items():
        assert f"--{token}: light-dark({getattr(OWN.light, name)}, {getattr(OWN.dark, name)});" in sheet


def test_a_logo_and_none_are_not_chosen_together() -> None:
    upload = SimpleUploadedFile("logo.png", picture())
    form = AppearanceForm({"name": "Acme", "no_logo": "on"}, {"new_logo": upload})
    assert form.errors == {"no_logo": ["Choose one of both: a new logo, or none."]}


def test_each_field_says_what_holds_without_it(settings: Settings) -> None:
    settings.PRODUCT_NAME = "Boathouse"
    fields = AppearanceForm().fields
    assert "Empty: Boathouse, as the installation" in fields["name"].help_text
    assert "Empty: #23408e, as the installation" in fields["accent"].help_text
    row, (request, shown) = Appearance(), (RequestFactory().get("/"), AppearanceAdmin(Appearance, admin.site))
    assert "no_logo" not in flatten_fieldsets(shown.get_fieldsets(request, row))
    row.checksum = "a" * 64
    assert "no_logo" in flatten_fieldsets(shown.get_fieldsets(request, row))


def test_a_page_has_a_name_although_the_database_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: Any, **_parameters: Any) -> Any:
        raise OperationalError

    monkeypatch.setattr(Appearance.objects, "only", fail)
    assert appearance.read_product().name == "Paraph"
