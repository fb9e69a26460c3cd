"""Values in form fields, drawn with fonts that are embedded. Runs in the child process.

What draws takes longer to import than most documents to prepare, so this module is imported where something is filled.
"""

from collections.abc import Iterator, Sequence

from pyhanko.pdf_utils.generic import DictionaryObject, NameObject, TextStringObject, pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from gateway.errors import FieldNotFillableError
from gateway.pades.appearance import AppearanceStyle, SignatureAppearance
from gateway.pades.fields import all_fields, refuse_if_locked, widgets_of
from gateway.pades.forms import OFF, ON, Widget, draw, find_widgets, sides_of
from gateway.pades.lettering import SIZE, Lettering
from gateway.pades.options import Appearance, FieldValue
from gateway.pades.reading import entry
from gateway.pades.writing import to_pdf

_LEADING, _LARGEST, _SMALLEST = 1.25, 12, 4


def fill_fields(
    writer: IncrementalPdfFileWriter, values: Sequence[FieldValue], font_folders: Sequence[str]
) -> Iterator[Widget]:
    """Fills text fields and checkboxes; answers with where. Raises `FieldNotFillableError`, `FieldLockedError`,
    `FontMissingError`, `ImageUnreadableError`."""
    lettering = Lettering(writer, font_folders, "".join(value.text for value in values))
    shown, fields = find_widgets(writer), dict(all_fields(writer))
    for value in values:
        reference = fields.get(value.name)
        if reference is None:
            raise FieldNotFillableError
        refuse_if_locked(writer.prev, value.name)
        field = reference.get_object()  # type: ignore[no-untyped-call]  # pyHanko's is not annotated
        for each in widgets_of(reference):
            if each.idnum not in shown:
                raise FieldNotFillableError
            _fill(writer, field, shown[each.idnum], value, lettering)
            writer.mark_update(each)
            yield shown[each.idnum]
        writer.mark_update(reference)


def _fill(
    writer: IncrementalPdfFileWriter, field: DictionaryObject, widget: Widget, value: FieldValue, lettering: Lettering
) -> None:
    kind = entry(field, "/FT")
    if kind == "/Btn" and not (value.text or value.image):
        state = NameObject(ON if value.checked else OFF)
        if state not in widget.annotation["/AP"]["/N"]:
            raise FieldNotFillableError
        field[pdf_name("/V")] = widget.annotation[pdf_name("/AS")] = state
        return
    if kind != "/Tx" or value.checked:
        raise FieldNotFillableError
    if not (value.text or value.image):
        # Left empty for good. It gets an appearance of this revision all the same: pyHanko takes an older one, in a
        # field that is locked from now on, for one that was changed.
        widget.annotation[pdf_name("/AP")] = to_pdf({"/N": writer.add_object(draw(writer, b"", 1, 1, 0))})
        return
    field[pdf_name("/V")] = TextStringObject(value.text)
    width, height = (side * widget.page.unit for side in sides_of(widget.page, widget.box))
    shows = (
        Appearance(image=value.image)
        if value.image
        else Appearance(text=break_lines(lettering, value.text, width, height))
    )
    style = AppearanceStyle(
        shows=shows, turned=widget.page.turned, unit=widget.page.unit, largest_text=_LARGEST, lettering=lettering
    )
    drawn = SignatureAppearance(writer, style, width, height).as_form_xobject()
    widget.annotation[pdf_name("/AP")] = to_pdf({"/N": writer.add_object(drawn)})


def break_lines(lettering: Lettering, text: str, width: float, height: float) -> str:
    """The text in lines that fit a box at the largest size at which they do; at the smallest it is made smaller
    still. Raises `FontMissingError`."""
    words = {word: _wide(lettering, word) for word in {*text.split(), " "}}
    lines: list[str] = []
    for size in range(_LARGEST, _SMALLEST - 1, -1):
        lines = [line for given in text.splitlines() for line in _break(given, words, SIZE * width / size)]
        fits = all(words[word] * size <= SIZE * width for word in text.split())
        if fits and len(lines) * size * _LEADING <= height:
            break
    return "\n".join(lines)


def _wide(lettering: Lettering, text: str) -> float:
    return sum(run.width for run in lettering.set_line(text))


def _break(line: str, words: dict[str, float], room: float) -> Iterator[str]:
    taken: list[str] = []
    used = 0.0
    for word in line.split():
        if taken and used + words[" "] + words[word] > room:
            yield " ".join(taken)
            taken, used = [], 0.0
        used += words[word] + (words[" "] if taken else 0)
        taken.append(word)
    if taken:
        yield " ".join(taken)
