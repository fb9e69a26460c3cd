"""An operator's accent colour: whether people can read it (WCAG 2.2, 1.4.3 and 1.4.11), and what is made of it."""

import re
from collections.abc import Callable
from dataclasses import dataclass

Colour = tuple[int, int, int]

# The grounds of static/paraph.css that the accent stands on, as text and as an edge.
_LIGHT_GROUNDS = ("#fbfaf7", "#ffffff", "#f3f2ee")
_DARK_PAPER, _DARK_GROUNDS = "#12141c", ("#12141c", "#191c27", "#0e1017")
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
TEXT, EDGE = 4.5, 3.0
_STEPS = 100


class UnreadableColourError(ValueError):
    """Not a colour, or one that some people could not read; the message says why, and what to take instead."""


@dataclass(frozen=True)
class Shades:
    """The accent's tokens of `static/paraph.css` in one theme, as ``#rrggbb``."""

    accent: str
    fill: str
    fill_hover: str
    soft: str


@dataclass(frozen=True)
class Palette:
    light: Shades
    dark: Shades


def parse_colour(text: str) -> Colour:
    """``#rrggbb``. Raises `UnreadableColourError`."""
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise UnreadableColourError("Write the colour as # and six hexadecimal digits, such as #23408e.")
    return (int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16))


def write_colour(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def luminance(colour: Colour) -> float:
    """Relative luminance (WCAG 2.2), 0 to 1."""
    channels = [value / 255 for value in colour]
    red, green, blue = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Colour, other: Colour) -> float:
    """The contrast ratio (WCAG 2.2), 1 to 21."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _mix(colour: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return (red, green, blue)


def _mix_until(colour: Colour, other: Colour, fits: Callable[[Colour], bool]) -> Colour:
    """The first step towards ``other`` that fits; that itself, if none does."""
    steps = (_mix(colour, other, step / _STEPS) for step in range(_STEPS + 1))
    return next((mixed for mixed in steps if fits(mixed)), other)


def _soft(colour: Colour) -> Colour:
    return _mix(colour, _WHITE, 0.9)


def _worst(colour: Colour) -> float:
    """The lowest contrast that it has as text in the light theme, white text on it included."""
    grounds = [parse_colour(ground) for ground in _LIGHT_GROUNDS]
    return min(contrast(colour, ground) for ground in (*grounds, _soft(colour)))


def derive_palette(accent: str) -> Palette:
    """Raises `UnreadableColourError` if the accent has too little contrast on the light theme's grounds; what the dark
    theme needs is made from it."""
    colour = parse_colour(accent)
    worst = _worst(colour)
    if worst < TEXT:
        darker = _mix_until(colour, _BLACK, lambda mixed: _worst(mixed) >= TEXT)
        raise UnreadableColourError(
            f"Words in this colour, or white words on it, would have a contrast of {worst:.1f} to 1; 4.5 to 1 is needed"
            f" (WCAG 2.2, 1.4.3). {write_colour(darker)} is the same colour, dark enough."
        )
    light = Shades(
        accent=write_colour(colour),
        fill=write_colour(colour),
        fill_hover=write_colour(_mix(colour, _BLACK, 0.2)),
        soft=write_colour(_soft(colour)),
    )
    return Palette(light, _darken(colour))


def _darken(colour: Colour) -> Shades:
    grounds = [parse_colour(ground) for ground in _DARK_GROUNDS]
    # White words stand on the fill, which stands on the dark ground: there is room between 3 and 4.5 to 1.
    fill = _mix_until(colour, _WHITE, lambda mixed: min(contrast(mixed, ground) for ground in grounds) >= EDGE)
    soft = _mix(parse_colour(_DARK_PAPER), fill, 0.25)
    words = _mix_until(fill, _WHITE, lambda mixed: min(contrast(mixed, ground) for ground in (*grounds, soft)) >= 7)
    hover = _mix(fill, _WHITE, 0.08)
    hover = hover if contrast(hover, _WHITE) >= TEXT else fill
    return Shades(write_colour(words), write_colour(fill), write_colour(hover), write_colour(soft))
