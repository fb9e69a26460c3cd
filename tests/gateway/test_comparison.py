"""Pages are drawn before and after signing and compared (yardstick G2): which differences are seen, and by whom."""

import re
import tempfile
from collections.abc import Collection

import pytest

from gateway.errors import PageChangedError
from gateway.pades.raster import compare_pages
from gateway.pades.values import Area
from tests.support import pdfs

BOX = (100.0, 100.0, 200.0, 200.0)
RED, GREY = b"1 0 0", b"0.298 0.298 0.298"


def painted(colour: bytes) -> bytes:
    """A content stream: a square in the box."""
    return pdfs.stream_object(b"%s rg 100 100 100 100 re f" % colour)


def update(pdf: bytes, objects: dict[int, bytes]) -> bytes:
    """An incremental update of a file with a classic cross-reference table (ISO 32000-1, 7.5.6)."""
    *_, start = re.findall(rb"startxref\n(\d+)", pdf)
    *_, size = re.findall(rb"/Size (\d+)", pdf)
    out, table = bytearray(pdf), b""
    for number, body in objects.items():
        table += b"%d 1\n%010d 00000 n \n" % (number, len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    trailer = b"trailer\n<< /Size %s /Root 1 0 R /Prev %s >>\nstartxref\n%d\n%%%%EOF\n" % (size, start, len(out))
    return bytes(out) + b"xref\n" + table + trailer


def compare(before: bytes, after: bytes, areas: Collection[Area] = ()) -> int:
    with tempfile.TemporaryFile() as file:
        file.write(after)
        file.flush()
        return compare_pages(file, len(before), areas)


def painted_pdf(pages: int = 1, colour: bytes = RED) -> bytes:
    objects = pdfs.document_objects(pages=pages)
    return pdfs.assemble(objects | {5 + 2 * index: painted(colour) for index in range(pages)})


def test_an_update_that_changes_nothing_that_is_seen_is_accepted() -> None:
    before = painted_pdf()
    assert compare(before, update(before, {5: painted(RED)})) == 1


@pytest.mark.parametrize("colour", [GREY, b"0.99 0 0", b"1 0.01 0", b"1 0 0.01"])
def test_a_change_of_colour_is_refused(colour: bytes) -> None:
    """Grey is of the red's lightness."""
    before = painted_pdf()
    with pytest.raises(PageChangedError):
        compare(before, update(before, {5: painted(colour)}))


def test_only_in_an_area_may_a_colour_change() -> None:
    before = painted_pdf()
    after = update(before, {5: painted(GREY)})
    assert compare(before, after, [Area(1, BOX)]) == 1
    for area in (Area(2, BOX), Area(1, (100.0, 100.0, 190.0, 200.0))):
        with pytest.raises(PageChangedError):
            compare(before, after, [area])
