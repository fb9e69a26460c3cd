"""Form fields that signers fill before they sign: made empty here, filled once by `filling` (ISO 32000-1, 12.7.4). Runs
in the child process.

They are read-only to viewers from the beginning: a certification that permits filling in forms (DocMDP level 2) lets
anybody change what a viewer offers to change, and a value is to change by its signer's own revision alone. The lock of
that signer's signature field then holds it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyhanko.pdf_utils.content import RawContent
from pyhanko.pdf_utils.generic import (
    ArrayObject,
    DictionaryObject,
    IndirectObject,
    StreamObject,
    TextStringObject,
    pdf_name,
)
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.layout import BoxConstraints

from gateway.errors import FieldNameTakenError
from gateway.pades.fields import field_names, stands_in_the_way
from gateway.pades.options import NewField
from gateway.pades.pages import Box, Page, describe, read_page, upright, walk_pages
from gateway.pades.pdfa import read_claim
from gateway.pades.reading import entry
from gateway.pades.writing import to_pdf

_READ_ONLY, _MULTILINE, _PRINTED = 1, 1 << 12, 4
_DEFAULT_APPEARANCE = "/Helv 0 Tf 0 g"
ON, OFF = "/Yes", "/Off"


@dataclass(frozen=True)
class Widget:
    """Where a field is shown: page from 1, its geometry, and its box in the page's own coordinates."""

    number: int
    page: Page
    annotation: DictionaryObject

    @property
    def box(self) -> Box:
        a, b, c, d = (float(each) for each in self.annotation["/Rect"])
        return (min(a, c), min(b, d), max(a, c), max(b, d))


def find_widgets(writer: IncrementalPdfFileWriter) -> dict[int, Widget]:
    """What every page shows, by the widget's object number."""
    found = {}
    for number, page in enumerate(walk_pages(writer), start=1):
        annotations = entry(page, "/Annots", ArrayObject())
        references = [annotations.raw_get(index) for index in range(len(annotations))]
        geometry = describe(page) if references else None
        for reference in references:
            if geometry is None or not isinstance(reference, IndirectObject):
                continue
            annotation = reference.get_object()  # type: ignore[no-untyped-call]  # pyHanko's is not annotated
            if isinstance(annotation, DictionaryObject) and "/Rect" in annotation:
                found[reference.idnum] = Widget(number, geometry, annotation)
    return found


def add_form_fields(writer: IncrementalPdfFileWriter, new: Sequence[NewField], pages: int) -> None:
    """Raises `FieldNameTakenError`, `PageOutOfRangeError`, `BoxOffPageError`."""
    if not new:
        return
    form, taken = _form_of(writer), field_names(writer)
    for each in new:
        if any(stands_in_the_way(there, each.name) for there in taken):
            raise FieldNameTakenError
        taken.add(each.name)
        reference = _add(writer, each, pages)
        form["/Fields"].append(reference)


def _form_of(writer: IncrementalPdfFileWriter) -> DictionaryObject:
    """The document's form, made if there is none, with the font that viewers fall back to."""
    root = writer.root
    if "/AcroForm" not in root:
        root[pdf_name("/AcroForm")] = writer.add_object(to_pdf({"/Fields": []}))
        writer.update_root()  # type: ignore[no-untyped-call]  # pyHanko's is not annotated
    form: DictionaryObject = root["/AcroForm"]
    fields, resources = _part(form, "/Fields", []), _part(form, "/DR", {})
    fonts = _part(resources, "/Font", {})
    if "/Helv" not in fonts:
        font = to_pdf({"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"})
        fonts[pdf_name("/Helv")] = writer.add_object(font)
    for changed in (form, fields, resources, fonts):
        writer.update_container(changed)
    return form


def _part(container: DictionaryObject, name: str, empty: Any) -> Any:
    if name not in container:
        container[pdf_name(name)] = to_pdf(empty)
    return container[name]


def _add(writer: IncrementalPdfFileWriter, new: NewField, pages: int) -> IndirectObject:
    if new.place is None:
        raise AssertionError("a field that is filled stands somewhere")
    page = read_page(writer, new.place.page, pages)
    box = page.to_own(new.place.box)
    page_reference, _ = writer.find_page_for_modification(new.place.page - 1)  # type: ignore[no-untyped-call]  # pyHanko's
    kind = _checkbox(writer, page, box) if new.kind == "checkbox" else _text(writer, page, box)
    named = {"/T": TextStringObject(new.name)} | ({"/TU": TextStringObject(new.label)} if new.label else {})
    placed = {"/Type": "/Annot", "/Subtype": "/Widget", "/Rect": box, "/F": _PRINTED, "/P": page_reference}
    field = {**placed, **named, **kind}
    reference: IndirectObject = writer.add_object(to_pdf(field))
    writer.register_annotation(page_reference, reference)  # type: ignore[no-untyped-call]  # pyHanko's is not annotated
    return reference


def _text(writer: IncrementalPdfFileWriter, page: Page, box: Box) -> dict[str, Any]:
    shown = writer.add_object(draw(writer, b"", *sides_of(page, box), page.turned))
    default = TextStringObject(_DEFAULT_APPEARANCE)
    return {"/FT": "/Tx", "/Ff": _READ_ONLY | _MULTILINE, "/DA": default, "/AP": {"/N": shown}}


def _checkbox(writer: IncrementalPdfFileWriter, page: Page, box: Box) -> dict[str, Any]:
    width, height = sides_of(page, box)
    frame = _square(width, height)
    states = {ON: b"%s %s" % (frame, _tick(width, height)), OFF: frame}
    shown = {name: writer.add_object(draw(writer, data, width, height, page.turned)) for name, data in states.items()}
    return {"/FT": "/Btn", "/Ff": _READ_ONLY, "/V": OFF, "/AS": OFF, "/AP": {"/N": shown}}


def sides_of(page: Page, box: Box) -> tuple[float, float]:
    """Width and height of a box as it is shown, in the page's own unit."""
    width, height = box[2] - box[0], box[3] - box[1]
    return (height, width) if page.turned % 180 else (width, height)


def draw(writer: IncrementalPdfFileWriter, data: bytes, width: float, height: float, turned: int) -> StreamObject:
    """A form XObject that stands upright on a page that is turned."""
    form: StreamObject = RawContent(data, box=BoxConstraints(width=width, height=height)).as_form_xobject()
    form[pdf_name("/Matrix")] = to_pdf([float(each) for each in upright(turned, width, height)])
    if spaces := read_claim(writer).colour_spaces():
        form[pdf_name("/Resources")] = to_pdf({"/ColorSpace": spaces})
    return form


def _square(width: float, height: float) -> bytes:
    side = min(width, height) - 1
    x, y = (width - side) / 2, (height - side) / 2
    return b"q 0.45 G 0.75 w %.3f %.3f %.3f %.3f re S Q" % (x, y, side, side)


def _tick(width: float, height: float) -> bytes:
    """Drawn, so that no font is asked for."""
    side = min(width, height)
    x, y = (width - side) / 2, (height - side) / 2
    points = [(x + side * a, y + side * b) for a, b in ((0.22, 0.5), (0.42, 0.28), (0.8, 0.76))]
    (a, b), (c, d), (e, f) = points
    return b"q 0 G 1 J 1 j %.3f w %.3f %.3f m %.3f %.3f l %.3f %.3f l S Q" % (side * 0.1, a, b, c, d, e, f)
