"""The operator's logo: read once from what was uploaded, kept as pictures of our own making."""

import io

from PIL import Image

LARGEST_FILE = 256 * 1024
_LARGEST_SIDE = 2000
_SHOWN = (640, 160)
ICON_SIDE = 512
_FORMATS = ("PNG", "JPEG", "WEBP")


class LogoRefusedError(ValueError):
    """Not a picture that could be shown; the message says why."""


def draw_logo(upload: bytes) -> tuple[bytes, bytes]:
    """Two PNGs: the logo, at most 640 by 160 pixels, and the same in the middle of a square of 512.

    Raises `LogoRefusedError` for what is no picture (a drawing with scripts, SVG, is none), or one that is too large as
    a file or on its sides, which is looked at before it is unpacked.
    """
    if len(upload) > LARGEST_FILE:
        raise LogoRefusedError(f"The file is larger than {LARGEST_FILE // 1024} kB.")
    try:
        with Image.open(io.BytesIO(upload), formats=_FORMATS) as image:
            drawn = image.convert("RGBA") if max(image.size) <= _LARGEST_SIDE else None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise LogoRefusedError("This is no picture in PNG, JPEG or WebP.") from None
    if drawn is None:
        raise LogoRefusedError(f"The picture has a side of more than {_LARGEST_SIDE} pixels.")
    return _fit(drawn, _SHOWN), _centre(drawn)


def _fit(drawn: Image.Image, box: tuple[int, int]) -> bytes:
    shown = drawn.copy()
    shown.thumbnail(box)
    return _write(shown, shown.size, (0, 0))


def _centre(drawn: Image.Image) -> bytes:
    """What a phone shows of a product: some room on each side, whatever shape it cuts."""
    shown, room = drawn.copy(), ICON_SIDE * 4 // 5
    shown.thumbnail((room, room))
    place = ((ICON_SIDE - shown.width) // 2, (ICON_SIDE - shown.height) // 2)
    return _write(shown, (ICON_SIDE, ICON_SIDE), place)


def _write(shown: Image.Image, size: tuple[int, int], place: tuple[int, int]) -> bytes:
    # A new picture: neither texts nor profiles nor a second frame come along.
    fresh = Image.new("RGBA", size)
    fresh.paste(shown, place)
    out = io.BytesIO()
    fresh.save(out, format="PNG", optimize=True)
    return out.getvalue()
