"""Small files that are PDF/A (ISO 19005), of each part and level, and what a test may spoil of them."""

import io
import struct
from functools import cache

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

from tests.support.pdfs import assemble, stream_object

FLAVOURS = ("1a", "1b", "2a", "2b", "2u", "3b", "4")

_FONT = "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf"
_FIRST, _LAST = 32, 126
_NAME = b"PARAPH+NotoSans-Regular"
_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/" {claim}/>
</rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""
_CAL_GREY = b"[/CalGray << /WhitePoint [0.9505 1 1.089] /Gamma 2.2 >>]"
_D50 = (0.9642, 1.0, 0.8249)
# The colorants of sRGB, adapted to D50.
_RED, _GREEN, _BLUE = (0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)
_GAMMA = 0x0233  # 2.2, in 256ths


def make_pdfa(flavour: str, *, intent: str = "RGB", spoilt: str = "") -> bytes:
    """A page of text. ``intent`` is the colour space of the output intent (``RGB``, ``GRAY``), empty for none;
    ``spoilt`` is what it then lacks: ``font``, ``xmp``, ``intent`` or ``id``."""
    part, level = flavour[0], flavour[1:].upper()
    structure = b"/MarkInfo << /Marked true >> /StructTreeRoot 10 0 R /Lang (en)" if level == "A" else b""
    intents = b"/OutputIntents [8 0 R]" if intent and spoilt != "intent" else b""
    metadata = b"/Metadata 6 0 R" if spoilt != "xmp" else b""
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R %s %s %s >>" % (metadata, intents, structure),
        2: b"<< /Type /Pages /Count 1 /Kids [4 0 R] >>",
        3: _font(embedded=spoilt != "font"),
        4: _page(tagged=level == "A", grey=not intent),
        5: stream_object(_content(tagged=level == "A")),
        6: stream_object(_claim(part, level), b"/Type /Metadata /Subtype /XML"),
        7: stream_object(_profile(intent or "RGB"), b"/N %d" % (3 if intent != "GRAY" else 1)),
        8: b"<< /Type /OutputIntent /S /GTS_PDFA1 /OutputConditionIdentifier (sRGB) /DestOutputProfile 7 0 R >>",
        9: _descriptor(embedded=spoilt != "font"),
        10: b"<< /Type /StructTreeRoot /K 11 0 R /ParentTree << /Nums [0 [11 0 R]] >> >>",
        11: b"<< /Type /StructElem /S /P /P 10 0 R /Pg 4 0 R /K 0 >>",
        12: stream_object(_program()[0], b"/Length1 %d" % len(_program()[0])),
    }
    trailer = b"" if spoilt == "id" else b"/ID [<0123456789ABCDEF> <0123456789ABCDEF>]"
    return assemble(objects, trailer=trailer, version=b"2.0" if part == "4" else b"1.4" if part == "1" else b"1.7")


def _claim(part: str, level: str) -> bytes:
    claim = f'pdfaid:part="{part}" ' + ('pdfaid:rev="2020"' if part == "4" else f'pdfaid:conformance="{level}"')
    return _XMP.format(claim=claim).encode()


def _page(*, tagged: bool, grey: bool) -> bytes:
    colours = b"/ColorSpace << /DefaultGray %s >>" % _CAL_GREY if grey else b""
    structure = b"/StructParents 0 /Tabs /S" if tagged else b""
    return (
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R %s "
        b"/Resources << /Font << /F1 3 0 R >> %s >> >>" % (structure, colours)
    )


def _content(*, tagged: bool) -> bytes:
    text = b"BT /F1 18 Tf 72 760 Td (Lease agreement) Tj ET"
    return b"/P << /MCID 0 >> BDC %s EMC" % text if tagged else text


def _font(*, embedded: bool) -> bytes:
    widths = b" ".join(b"%d" % width for width in _program()[1])
    name = _NAME if embedded else b"NotoSans-Regular"
    return (
        b"<< /Type /Font /Subtype /TrueType /BaseFont /%s /Encoding /WinAnsiEncoding /FontDescriptor 9 0 R "
        b"/FirstChar %d /LastChar %d /Widths [%s] >>" % (name, _FIRST, _LAST, widths)
    )


def _descriptor(*, embedded: bool) -> bytes:
    name, file = (_NAME, b"/FontFile2 12 0 R") if embedded else (b"NotoSans-Regular", b"")
    return (
        b"<< /Type /FontDescriptor /FontName /%s /Flags 32 /FontBBox [-600 -300 1300 1100] /ItalicAngle 0 "
        b"/Ascent 1069 /Descent -293 /CapHeight 714 /StemV 80 %s >>" % (name, file)
    )


@cache
def _program() -> tuple[bytes, list[int]]:
    """Noto Sans, of which the letters of ASCII are left, and their widths in thousandths."""
    font = TTFont(_FONT)
    subsetter = Subsetter(Options(layout_features=[], notdef_outline=True))
    subsetter.populate(unicodes=range(_FIRST, _LAST + 1))
    subsetter.subset(font)
    named, scale = font.getBestCmap(), 1000 / font["head"].unitsPerEm
    widths = [round(font["hmtx"][named[code]][0] * scale) for code in range(_FIRST, _LAST + 1)]
    file = io.BytesIO()
    font.save(file)
    return file.getvalue(), widths


@cache
def _profile(space: str) -> bytes:
    """A monitor's ICC profile of version 2.1, which PDF 1.4 knows: sRGB's colours, or its greys."""
    tags = {b"desc": _description(b"Paraph test"), b"cprt": b"text\0\0\0\0Public domain\0", b"wtpt": _xyz(_D50)}
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, _GAMMA)
    if space == "RGB":
        tags |= {b"rXYZ": _xyz(_RED), b"gXYZ": _xyz(_GREEN), b"bXYZ": _xyz(_BLUE)}
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    else:
        tags[b"kTRC"] = curve
    start, table, data = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, tag in tags.items():
        table += name + struct.pack(">II", start + len(data), len(tag))
        data += tag + bytes(-len(tag) % 4)
    head = struct.pack(">I4xI4s4s4s", start + len(data), 0x02100000, b"mntr", f"{space:4}".encode(), b"XYZ ")
    head += struct.pack(">6H4s", 2020, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + _xyz(_D50)[8:]
    return head.ljust(128, b"\0") + table + data


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def _description(text: bytes) -> bytes:
    """textDescriptionType, of which only ASCII is filled."""
    return b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + b"\0" + bytes(4 + 4 + 2 + 1 + 67)
