"""How pages look in the product's name, logo and colour, drawn for the operator who chooses them: one picture a theme.

Drawn as SVG in the page, whose presentation attributes the content security policy does not take for styles.
"""

import io
from contextlib import suppress
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from PIL import Image

from config.appearance import Product
from config.colours import Palette, Shades, UnreadableColourError, derive_palette

# The stylesheet's own (static/paraph.css).
OWN = Palette(
    Shades("#23408e", "#23408e", "#1a3175", "#e9edf8"),
    Shades("#a9bafc", "#4464c8", "#4e6ed2", "#1f2644"),
)
_LOGO = (240, 32)  # at most
_PAPER = "#fbfaf7"
_SANS, _SERIF = "'Source Sans 3', sans-serif", "'Source Serif 4', Georgia, serif"


@dataclass(frozen=True)
class _Theme:
    name: str
    paper: str
    ink: str
    edge: str
    shades: Shades


def draw_preview(product: Product) -> SafeString:
    """What is at the top of pages, a button and a link, on the light and the dark ground."""
    palette = OWN
    if product.accent:
        with suppress(UnreadableColourError):  # of the settings: then pages have the stylesheet's own too
            palette = derive_palette(product.accent)
    themes = (
        _Theme(_("Light"), _PAPER, "#1c1f2b", "#d9d8d3", palette.light),
        _Theme(_("Dark"), "#12141c", "#e9e8e4", "#343a4d", palette.dark),
    )
    return format_html_join("\n", "{}", ((_draw(product, theme),) for theme in themes))


def _draw_name(name: str, ink: str) -> SafeString:
    return format_html(
        '<text x="20" y="44" font-family="{serif}" font-size="{size}" font-weight="600" fill="{ink}">{name}</text>',
        serif=_SERIF,
        size=22 if len(name) < 24 else 13,
        ink=ink,
        name=name,
    )


def _draw_logo(address: str, png: bytes) -> SafeString:
    """On paper, in the dark theme too: logos are drawn for it."""
    with Image.open(io.BytesIO(png)) as logo:
        shrunk = min(most / side for most, side in zip(_LOGO, logo.size, strict=True))
        width, height = (round(side * shrunk) for side in logo.size)
    return format_html(
        '<rect x="16" y="20" width="{}" height="{}" rx="6" fill="{paper}"/>'
        '<image x="20" y="24" width="{width}" height="{height}" href="{address}"/>',
        width + 8,
        height + 8,
        paper=_PAPER,
        width=width,
        height=height,
        address=address,
    )


def _draw(product: Product, theme: _Theme) -> SafeString:
    png = product.logo
    top = _draw_logo(product.logo_url, png) if png else _draw_name(product.name, theme.ink)
    return format_html(
        '<svg class="preview" viewBox="0 0 300 150" width="280" height="140" role="img" aria-label="{label}">'
        '<rect x="0.5" y="0.5" width="299" height="149" rx="6" fill="{paper}" stroke="{edge}"/>{top}'
        '<rect x="20" y="84" width="110" height="44" rx="6" fill="{fill}"/>'
        '<text x="75" y="111" font-family="{sans}" font-size="15" font-weight="600" fill="#ffffff"'
        ' text-anchor="middle">{button}</text>'
        '<text x="150" y="111" font-family="{sans}" font-size="15" fill="{accent}"'
        ' text-decoration="underline">{link}</text></svg>',
        label=theme.name,
        sans=_SANS,
        paper=theme.paper,
        edge=theme.edge,
        top=top,
        fill=theme.shades.fill,
        accent=theme.shades.accent,
        button=_("Continue"),
        link=_("Read it again"),
    )
