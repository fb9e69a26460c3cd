"""Pictures of signatures as people send them: made small, plain and safe, or refused.

Only what two decoders of the library read is read at all, its size is looked at before anything is unpacked, and what
is kept is drawn anew: no metadata, no second picture behind the first.
"""

import io
import warnings
from typing import IO

from PIL import Image, ImageChops, ImageOps

from signapp.errors import PictureEmptyError, PictureError, PictureTooLargeError

LARGEST_FILE = 2 * 1024 * 1024
_MOST_PIXELS = 16_000_000
_WIDEST, _HIGHEST = 900, 360
_FORMATS = ("PNG", "JPEG")
_MARGIN = 4
# Paper in a photograph is not white: what is lighter than this becomes clear.
_PAPER = 200


def read_picture(upload: IO[bytes]) -> bytes:
    """A PNG of at most 900 by 360 pixels, cut to what is to be seen, on clear ground. Raises `PictureError`."""
    data = upload.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise PictureTooLargeError
    picture = _cut(_clear(_decode(data)))
    picture.thumbnail((_WIDEST, _HIGHEST))
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()


def _decode(data: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            opened = Image.open(io.BytesIO(data), formats=_FORMATS)
            is_small = opened.width * opened.height <= _MOST_PIXELS
            if is_small:
                opened.draft("RGB", (2 * _WIDEST, 2 * _HIGHEST))
                return ImageOps.exif_transpose(opened).convert("RGBA")
    except Exception:  # noqa: BLE001  (on hostile input the library raises nearly anything)
        raise PictureError from None
    raise PictureTooLargeError


def _clear(picture: Image.Image) -> Image.Image:
    """Ink stays, paper goes, if the picture has no clear ground of its own."""
    alpha = picture.getchannel("A")
    if alpha.getextrema()[0] == 255:
        light = picture.convert("L")
        ground = light.point(lambda value: 0 if value >= _PAPER else min(255, (_PAPER - value) * 3))
        picture.putalpha(ImageChops.darker(alpha, ground))
    return picture


def _cut(picture: Image.Image) -> Image.Image:
    box = picture.getchannel("A").point(lambda value: 255 if value > 24 else 0).getbbox()
    if box is None:
        raise PictureEmptyError
    left, upper, right, lower = box
    return picture.crop(
        (
            max(0, left - _MARGIN),
            max(0, upper - _MARGIN),
            min(picture.width, right + _MARGIN),
            min(picture.height, lower + _MARGIN),
        )
    )
