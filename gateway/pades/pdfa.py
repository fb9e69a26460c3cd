"""What PDF/A (ISO 19005) asks of what signing adds to a file that claims to be it. Runs in the child process."""

import re
from dataclasses import dataclass
from typing import Any

from pyhanko.pdf_utils.decode_limits import DecodePurpose
from pyhanko.pdf_utils.generic import StreamObject
from pyhanko.pdf_utils.rw_common import PdfHandler

from gateway.pades.reading import entry

_PART = re.compile(rb"pdfaid:part(?:\s*=\s*[\"']|\s*>)\s*([1-4])")
_RGB = 3
_WHITE_POINT = [0.9505, 1.0, 1.089]
# The primaries of sRGB, of white D65.
_PRIMARIES = [0.4124, 0.2126, 0.0193, 0.3576, 0.7152, 0.1192, 0.1805, 0.0722, 0.9505]
_GAMMA = 2.2


@dataclass(frozen=True)
class Claim:
    """``part`` is that of ISO 19005, 0 of a file that claims to be no PDF/A; ``components`` is how many a colour of the
    output intent has, 0 where there is none."""

    part: int = 0
    components: int = 0

    @property
    def is_opaque(self) -> bool:
        """Whether nothing may be transparent: anywhere in part 1 (ISO 19005-1, 6.4); where no output intent says in
        which colours it is blended, in the others (ISO 19005-2, 6.2.10)."""
        return self.part == 1 or (self.part > 1 and not self.components)

    @property
    def is_pdf_1(self) -> bool:
        """Parts 1 to 3 are of PDF 1.4 and 1.7, part 4 is of PDF 2.0."""
        return self.part in {1, 2, 3}

    @property
    def asks_for_appearances(self) -> bool:
        """Whether every field has an appearance, one of no size too (ISO 19005-1, 6.9)."""
        return self.part == 1

    @property
    def lists_glyphs(self) -> bool:
        """Whether an embedded subset says which glyphs it holds (ISO 19005-1, 6.3.5)."""
        return self.part == 1

    def colour_spaces(self) -> dict[str, Any]:
        """What stands for DeviceGray and DeviceRGB in content that uses them, unless the output intent already says
        what they look like (ISO 19005-1, 6.2.3.3; ISO 19005-2, 6.2.4.3)."""
        if not self.part or self.components == _RGB:
            return {}
        grey = {"/WhitePoint": _WHITE_POINT, "/Gamma": _GAMMA}
        rgb = {"/WhitePoint": _WHITE_POINT, "/Gamma": [_GAMMA] * 3, "/Matrix": _PRIMARIES}
        return {"/DefaultGray": ["/CalGray", grey], "/DefaultRGB": ["/CalRGB", rgb]}


def read_claim(handler: PdfHandler) -> Claim:
    """What the document's metadata and output intent say; one that cannot be read claims nothing."""
    try:
        part = _read_part(entry(handler.root, "/Metadata"))
        return Claim(part, _read_components(entry(handler.root, "/OutputIntents", ()))) if part else Claim()
    except RecursionError:
        raise
    except Exception:  # noqa: BLE001  (of a malformed file the library raises anything)
        return Claim()


def _read_part(metadata: Any) -> int:
    if not isinstance(metadata, StreamObject):
        return 0
    # Whether in UTF-8, UTF-16 or UTF-32, what is looked for is ASCII.
    found = _PART.search(metadata.read_data(DecodePurpose.XMP_METADATA).replace(b"\0", b""))
    return int(found[1]) if found else 0


def _read_components(intents: Any) -> int:
    for intent in intents:
        described = intent.get_object()
        if entry(described, "/S") == "/GTS_PDFA1" and "/DestOutputProfile" in described:
            return int(described["/DestOutputProfile"]["/N"])
    return 0
