"""Clients' logos: read once from what an operator uploads, and served from here as a picture of our own making."""

from hashlib import sha256
from io import BytesIO

from PIL import Image

from authz.errors import InvalidRequestError
from authz.models import Application, ClientLogo

LARGEST_FILE = 256 * 1024
LARGEST_SIDE = 2000
SHOWN_SIDE = 192
_FORMATS = ("PNG", "JPEG", "WEBP")


def draw_logo(upload: bytes) -> bytes:
    """A PNG of at most 192 by 192 pixels: the picture alone, without whatever else its file held.

    Raises `InvalidRequestError` for what is no picture, or one that is too large as a file or on its sides, which is
    looked at before it is unpacked.
    """
    if len(upload) > LARGEST_FILE:
        raise InvalidRequestError(f"The file is larger than {LARGEST_FILE // 1024} kB.")
    try:
        with Image.open(BytesIO(upload), formats=_FORMATS) as image:
            if max(image.size) > LARGEST_SIDE:
                raise InvalidRequestError(f"The picture has a side of more than {LARGEST_SIDE} pixels.")
            drawn = image.convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise InvalidRequestError("This is no picture in PNG, JPEG or WebP.") from None
    drawn.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    # A new picture: neither texts nor profiles nor a second frame come along.
    fresh = Image.new("RGBA", drawn.size)
    fresh.paste(drawn)
    out = BytesIO()
    fresh.save(out, format="PNG", optimize=True)
    return out.getvalue()


def keep_logo(*, application: Application, png: bytes | None) -> None:
    """Puts it in the place of the client's last one; None leaves it without."""
    if png is None:
        ClientLogo.objects.filter(application=application).delete()
        return
    ClientLogo.objects.update_or_create(
        application=application, defaults={"png": png, "checksum": sha256(png).hexdigest()}
    )


def read_logo(*, checksum: str) -> bytes | None:
    """The PNG; None where there is none of this checksum."""
    found = ClientLogo.objects.filter(checksum=checksum).first()
    return None if found is None else bytes(found.png)
