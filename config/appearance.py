"""How the product is called and looks: what an operator set in the administration, else what the settings say.

Pages have it as ``product`` in their context; a role asks for it in its mails by settings.APPEARANCE, because roles do
not import the composition.
"""

import json
import logging
import re
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.templatetags.static import static
from django.urls import path
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from config.colours import Shades, UnreadableColourError, derive_palette
from config.logo import ICON_SIDE
from config.models import ONLY, Appearance

log = logging.getLogger(__name__)

_PREFIX = "/appearance"
_FOREVER = "public, max-age=31536000, immutable"
_GROUND = "#fbfaf7"


@dataclass(frozen=True)
class Product:
    """``accent`` is ``#rrggbb``, or empty for the stylesheet's own; ``checksum`` names the logo, or is empty."""

    name: str
    accent: str = ""
    checksum: str = ""

    @property
    def logo_url(self) -> str:
        return f"{_PREFIX}/{self.checksum}.png" if self.checksum else ""

    @property
    def icon_url(self) -> str:
        return f"{_PREFIX}/{self.checksum}-icon.png" if self.checksum else ""

    @property
    def stylesheet_url(self) -> str:
        return f"{_PREFIX}/{self.accent[1:].lower()}.css" if self.accent else ""

    @property
    def logo(self) -> bytes:
        """The PNG; nothing where there is none."""
        return _read_picture("logo", self.checksum) if self.checksum else b""


def read_product() -> Product:
    """A database that does not answer is no reason for a page to have no name."""
    row = None
    try:
        row = Appearance.objects.only("name", "accent", "checksum").filter(pk=ONLY).first()
    except DatabaseError as error:
        log.warning("how the product is called could not be read: %s", type(error).__name__)
    if row is None:
        return Product(settings.PRODUCT_NAME, settings.PRODUCT_ACCENT)
    return Product(row.name or settings.PRODUCT_NAME, row.accent or settings.PRODUCT_ACCENT, row.checksum)


def product(_request: HttpRequest) -> dict[str, Any]:
    """For templates; read at first use."""
    return {"product": SimpleLazyObject(read_product)}


def _read_picture(field: str, checksum: str) -> bytes:
    found = Appearance.objects.filter(pk=ONLY, checksum=checksum).values_list(field, flat=True).first()
    return bytes(found or b"")


# --- What pages fetch; each stands under an address that never changes its answer ---------------------------------


@require_safe
def stylesheet(_request: HttpRequest, digits: str) -> HttpResponse:
    """The accent's tokens, for both themes."""
    try:
        palette = derive_palette(f"#{digits}")
    except UnreadableColourError:
        raise Http404 from None
    light, dark = palette.light, palette.dark
    tokens = "".join(
        f"  --{name}: light-dark({one}, {other});\n"
        for name, one, other in zip(
            ("accent", "accent-fill", "accent-fill-hover", "accent-soft"), _list(light), _list(dark), strict=True
        )
    )
    return _answer(f":root {{\n{tokens}}}\n".encode(), "text/css; charset=utf-8")


def _list(shades: Shades) -> tuple[str, str, str, str]:
    return (shades.accent, shades.fill, shades.fill_hover, shades.soft)


@require_safe
def picture(_request: HttpRequest, name: str) -> HttpResponse:
    """The logo, or the icon of it."""
    found = re.fullmatch(r"([0-9a-f]{64})(-icon)?", name)
    png = _read_picture("icon" if found[2] else "logo", found[1]) if found else b""
    if not png:
        raise Http404
    return _answer(png, "image/png")


def _answer(body: bytes, content_type: str) -> HttpResponse:
    response = HttpResponse(body, content_type=content_type)
    response["Cache-Control"] = _FOREVER
    return response


@require_safe
def manifest(_request: HttpRequest) -> HttpResponse:
    """What a browser needs to install the product (W3C Web Application Manifest)."""
    shown = read_product()
    own = [
        {"src": static("img/mark.svg"), "type": "image/svg+xml", "sizes": "any"},
        {"src": static("img/mark-180.png"), "type": "image/png", "sizes": "180x180"},
        {"src": static("img/mark-512.png"), "type": "image/png", "sizes": "512x512"},
    ]
    drawn = [{"src": shown.icon_url, "type": "image/png", "sizes": f"{ICON_SIDE}x{ICON_SIDE}"}]
    body = {
        "name": shown.name,
        "short_name": shown.name,
        "description": _("Read, approve and sign documents"),
        "start_url": "/",
        "display": "standalone",
        "background_color": _GROUND,
        "theme_color": _GROUND,
        "icons": drawn if shown.checksum else own,
    }
    response = HttpResponse(json.dumps(body), content_type="application/manifest+json")
    response["Cache-Control"] = "no-cache"
    return response


urlpatterns = [
    path("manifest.webmanifest", manifest),
    path("appearance/<slug:digits>.css", stylesheet),
    path("appearance/<slug:name>.png", picture),
]
