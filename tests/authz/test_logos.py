"""Clients' logos: what an operator may upload, what becomes of it, and where it is shown."""

import re
import struct
import zlib
from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from authz.errors import InvalidRequestError
from authz.models import Application, ClientLogo
from authz.services.logos import LARGEST_FILE, draw_logo
from tests.authz.conftest import GATEWAY, Flow, Person, Pkce

SECRET = "GPS 48.85, 2.35"


def picture(kind: str = "PNG", size: tuple[int, int] = (400, 200), **options: Any) -> bytes:
    out = BytesIO()
    Image.new("RGB", size, "teal").save(out, format=kind, **options)
    return out.getvalue()


def bomb(side: int) -> bytes:
    """A header that promises a side so long; nothing follows that would fill it."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_drawn_anew_and_small(kind: str) -> None:
    drawn = draw_logo(picture(kind))
    with Image.open(BytesIO(drawn)) as image:
        assert (image.format, image.size, image.info) == ("PNG", (192, 96), {})
    assert draw_logo(drawn) == drawn


def test_nothing_of_the_file_comes_along_but_the_picture() -> None:
    told = PngInfo()
    told.add_text("Comment", SECRET)
    exif = Image.Exif()
    exif[0x010E] = SECRET
    polyglot = picture("JPEG", exif=exif) + b"<script>alert(1)</script>"
    for upload in (picture("PNG", pnginfo=told), polyglot, picture("WEBP", exif=exif)):
        assert upload != draw_logo(upload)
        assert SECRET.encode() not in draw_logo(upload)
        assert b"<script" not in draw_logo(upload)
    assert SECRET.encode() in polyglot


@pytest.mark.parametrize(
    "upload",
    [
        b"",
        b"GIF89a",
        picture("GIF"),
        picture("TIFF"),
        picture("BMP"),
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        b"%PDF-1.7",
        picture()[:60],
        picture("JPEG")[:300],
        picture(size=(2001, 4)),
        bomb(50_000),
        bomb(2_000),
        picture() + bytes(LARGEST_FILE),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    ],
    ids=lambda upload: repr(upload[:8]) + str(len(upload)),
)
def test_what_is_no_small_picture_is_refused(upload: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        draw_logo(upload)


@pytest.fixture
def boss(alice: Person) -> Person:
    alice.log_in()
    user = alice.user
    user.is_staff = user.is_superuser = True
    user.save()
    return alice


def save(boss: Person, client: Application, upload: bytes | None = None, **more: Any) -> Any:
    form = {
        "name": client.name,
        "redirect_uris": client.redirect_uris,
        "allowed_scopes": client.allowed_scopes,
        "authentication": client.authentication,
        "id_token_signed_response_alg": "RS256",
        "require_pkce": "on",
        "jwks": "",
    }
    if upload is not None:
        form["logo"] = SimpleUploadedFile("logo.svg.html", upload, "text/html")
    return boss.browser.post(f"/admin/authz/application/{client.pk}/change/", form | more)


def test_an_operator_gives_a_client_a_logo_which_its_consent_page_shows(boss: Person, foreign: tuple[str, str]) -> None:
    client = Application.objects.get(client_id=foreign[0])
    assert save(boss, client, picture()).status_code == 302
    kept = ClientLogo.objects.get()
    address = f"/authz/logos/{kept.checksum}.png"
    assert address in boss.browser.get(f"/admin/authz/application/{client.pk}/change/").content.decode()
    asked = {"client_id": foreign[0], "response_type": "code", "scope": "service"}
    asked |= {"code_challenge": Pkce().challenge, "code_challenge_method": "S256"}
    page = boss.browser.get(boss.browser.get("/authz/oauth2/authorize", asked)["Location"])
    assert f'src="{address}" alt=""' in page.content.decode()
    assert "img-src 'self'" in page["Content-Security-Policy"]
    # Anybody may see it, and no session is begun for that.
    shown = Client().get(address)
    assert (shown.status_code, shown["Content-Type"], shown["X-Content-Type-Options"]) == (200, "image/png", "nosniff")
    assert "immutable" in shown["Cache-Control"]
    assert not shown.cookies
    assert shown.content == bytes(kept.png)
    # A form without one changes nothing; another replaces it; and it can be taken away.
    save(boss, client)
    assert ClientLogo.objects.get().checksum == kept.checksum
    save(boss, client, picture(size=(64, 64)))
    assert ClientLogo.objects.get().checksum != kept.checksum
    assert Client().get(address).status_code == 404
    page = boss.browser.get(f"/admin/authz/application/{client.pk}/change/").content.decode()
    assert 'name="no_logo"' in page
    both = save(boss, client, picture(), no_logo="on")
    assert "Choose one of both" in both.content.decode()
    assert ClientLogo.objects.exists()
    save(boss, client, no_logo="on")
    assert not ClientLogo.objects.exists()
    assert 'name="no_logo"' not in boss.browser.get(f"/admin/authz/application/{client.pk}/change/").content.decode()


def test_what_the_operator_should_not_have_uploaded_is_said_beside_the_field(
    boss: Person, foreign: tuple[str, str]
) -> None:
    client = Application.objects.get(client_id=foreign[0])
    refused = save(boss, client, b"<svg/>", consent_text="We file your leases.")
    assert refused.status_code == 200
    assert "This is no picture" in refused.content.decode()
    assert not ClientLogo.objects.exists()
    client.refresh_from_db()
    assert client.consent_text == ""


def test_a_page_for_signing_shows_it_too(alice: Person, flow: Flow) -> None:
    ClientLogo.objects.create(
        application=Application.objects.get(client_id=GATEWAY[0]), png=draw_logo(picture()), checksum="0" * 64
    )
    alice.log_in()
    page = alice.browser.get(flow.open(alice, Pkce()))
    assert re.search(rf'<img class="client-logo" src="/authz/logos/{"0" * 64}.png"', page.content.decode())


@pytest.mark.parametrize("name", ["x", "..%2f..%2fetc%2fpasswd", "0" * 64, "%00"])
def test_an_unknown_logo_is_404(name: str) -> None:
    assert Client().get(f"/authz/logos/{name}.png").status_code == 404
