"""Pages are drawn before and after signing and compared (yardstick G2): which differences are seen, and by whom."""

import re
import tempfile
import threading
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from PIL import Image

from gateway.errors import HostilePdfError, PageChangedError
from gateway.pades import isolation, raster
from gateway.pades.conversation import Request
from gateway.pades.nursery import Nursery
from gateway.pades.raster import compare_pages
from gateway.pades.values import Area
from tests.gateway.test_children import ALICIA
from tests.support import pdfs

BOX = (100.0, 100.0, 200.0, 200.0)
RED, GREY = b"1 0 0", b"0.298 0.298 0.298"


def painted(colour: bytes) -> bytes:
    """A content stream: a square in the box."""
    return pdfs.stream_object(b"%s rg 100 100 100 100 re f" % colour)


def picture(image: Image.Image) -> bytes:
    entries = b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8"
    return pdfs.stream_object(image.tobytes(), entries % image.size)


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


def compare(before: bytes, after: bytes, areas: Collection[Area] = (), share: tuple[int, int] = (0, 1)) -> int:
    with tempfile.TemporaryFile() as file:
        file.write(after)
        file.flush()
        return compare_pages(file, len(before), areas, share=share)


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


@pytest.mark.parametrize("place", [(0, 0), (1, 1), (500, 700), (701, 502), (1238, 3), (1239, 1753)])
def test_a_change_of_one_pixel_of_a_scanned_page_is_refused(place: tuple[int, int]) -> None:
    """However coarsely it is drawn: whoever knew which pixels are looked at could exchange all others."""
    page = Image.new("L", (1240, 1754), 255)
    objects = pdfs.document_objects()
    objects[4] = objects[4].replace(b"/Font", b"/XObject << /Scan 6 0 R >> /Font")
    objects[5] = pdfs.stream_object(b"595 0 0 842 0 0 cm /Scan Do")
    before = pdfs.assemble(objects | {6: picture(page)})
    page.putpixel(place, 0)
    with pytest.raises(PageChangedError):
        compare(before, update(before, {6: picture(page)}))


# --- Pages that are shared out ------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 9, 50, 101])
def test_the_shares_are_all_pages_each_of_them_once(monkeypatch: pytest.MonkeyPatch, count: int, of: int) -> None:
    drawn: list[int] = []
    monkeypatch.setattr(raster, "_compare", lambda _before, _after, index, _boxes: drawn.append(index))
    pdf = pdfs.make_pdf(pages=count)
    answered = [compare(pdf, update(pdf, {}), share=(which, of)) for which in range(of)]
    assert sum(answered) == count
    assert sorted(drawn) == list(range(count))


@pytest.mark.parametrize("page", range(1, 6))
def test_a_change_is_refused_by_the_one_whose_share_the_page_is_in(page: int) -> None:
    before = painted_pdf(pages=5)
    after = update(before, {3 + 2 * page: painted(GREY)})
    refused = []
    for which in range(2):
        try:
            compare(before, after, share=(which, 2))
        except PageChangedError:
            refused.append(which)
        assert compare(before, after, [Area(page, BOX)], share=(which, 2)) in {2, 3}
    assert len(refused) == 1


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nursery]:
    """Two children draw, however small a document is and however many cores there are."""
    monkeypatch.setattr(isolation, "_BYTES_FOR_TWO", 0)
    monkeypatch.setattr(isolation, "_CHILDREN_THAT_DRAW", 2)
    own = Nursery()
    monkeypatch.setattr(isolation, "nursery", own)
    yield own
    own.close()


@pytest.fixture
def asked(shared: Nursery, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The shares that children are asked for."""
    shares: list[list[int]] = []
    run = shared.run

    def watched(request: Request, *, kept_for: str = "") -> bytes:
        shares.append(request.arguments["share"])
        return run(request, kept_for=kept_for)

    monkeypatch.setattr(shared, "run", watched)
    return shares


def compare_apart(before: bytes, after: bytes, areas: Collection[Area] = (), *, pages: int | None = None) -> int:
    """In children."""
    with tempfile.TemporaryFile() as file:
        file.write(after)
        return isolation._compare_pages(file, len(before), tuple(areas), "", ALICIA, pages=pages)


def test_two_children_are_asked_for_half_of_the_pages_each(asked: list[list[int]]) -> None:
    before = painted_pdf(pages=5)
    for _ in range(3):
        assert compare_apart(before, update(before, {}), pages=5) == 5
    assert sorted(asked) == sorted([[0, 2], [1, 2]] * 3)


def test_a_single_page_has_one_child(asked: list[list[int]]) -> None:
    before = painted_pdf()
    assert compare_apart(before, update(before, {}), pages=1) == 1
    assert asked == [[0, 1]]


def test_a_small_document_has_one_child(asked: list[list[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "_BYTES_FOR_TWO", 2_000_000)
    before = painted_pdf(pages=5)
    assert compare_apart(before, update(before, {}), pages=5) == 5
    assert asked == [[0, 1]]


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("page", range(1, 6))
def test_a_change_on_any_page_is_refused_whichever_child_has_it(page: int) -> None:
    before = painted_pdf(pages=5)
    after = update(before, {3 + 2 * page: painted(GREY)})
    with pytest.raises(PageChangedError):
        compare_apart(before, after, [Area(each, BOX) for each in range(1, 6) if each != page])
    assert compare_apart(before, after, [Area(page, BOX)]) == 5


@pytest.mark.parametrize("killed", [0, 1])
def test_if_one_of_two_children_is_killed_the_document_is_refused(
    shared: Nursery, monkeypatch: pytest.MonkeyPatch, killed: int
) -> None:
    run = shared.run

    def watched(request: Request, *, kept_for: str = "") -> bytes:
        seconds = 0.00001 if request.arguments["share"][0] == killed else request.seconds
        return run(replace(request, seconds=seconds), kept_for=kept_for)

    before = painted_pdf(pages=5)
    with monkeypatch.context() as patched:
        patched.setattr(shared, "run", watched)
        with pytest.raises(HostilePdfError):
            compare_apart(before, update(before, {}))
    assert compare_apart(before, update(before, {})) == 5


def test_without_a_thread_one_draws_after_the_other(asked: list[list[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none)
    before = painted_pdf(pages=5)
    assert compare_apart(before, update(before, {})) == 5
    assert asked == [[0, 2], [1, 2]]


@pytest.mark.usefixtures("shared")
def test_many_documents_at_once_wait_for_each_other_and_all_are_drawn() -> None:
    before = painted_pdf(pages=3)
    with ThreadPoolExecutor(8) as threads:
        drawn = threads.map(lambda _: compare_apart(before, update(before, {})), range(16))
        assert list(drawn) == [3] * 16
