"""Signature fields: which may be signed, which are made, and what earlier signatures locked. Runs in the child process.

ISO 32000-1, 12.7.4.5 and 12.8.2.4. pyHanko does not hold a later signature to every earlier lock, so it is looked at
here.
"""

from collections.abc import Iterator
from dataclasses import replace

from pyhanko.pdf_utils.generic import DictionaryObject, IndirectObject
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.rw_common import PdfHandler
from pyhanko.sign.fields import (
    FieldMDPAction,
    FieldMDPSpec,
    SigFieldSpec,
    append_signature_field,
    enumerate_sig_fields,
)

from gateway.errors import FieldLockedError, FieldNameTakenError
from gateway.pades.options import FieldLock, NewField
from gateway.pades.pages import place_of
from gateway.pades.reading import entry

_DEEPEST_FORM = 64


def read_locks(handler: PdfHandler) -> Iterator[FieldMDPSpec]:
    """What earlier signatures locked. One that cannot be read locks nothing: it shows nothing either."""
    for _name, value, reference in enumerate_sig_fields(handler, filled_status=True):
        field = reference.get_object()
        found = [field["/Lock"]] if "/Lock" in field else []
        found += [each["/TransformParams"] for each in _references(value) if "/TransformParams" in each]
        for described in found:
            try:
                yield FieldMDPSpec.from_pdf_object(described)
            except RecursionError:
                raise
            except Exception:  # noqa: BLE001, S112  (a malformed lock raises anything)
                continue


def _references(value: object) -> Iterator[DictionaryObject]:
    signature = value.get_object() if hasattr(value, "get_object") else value
    if not isinstance(signature, DictionaryObject):
        return
    for each in entry(signature, "/Reference", ()):
        transform = each.get_object()
        if isinstance(transform, DictionaryObject) and transform.get("/TransformMethod") == "/FieldMDP":
            yield transform


def refuse_if_locked(handler: PdfHandler, name: str) -> None:
    """Raises `FieldLockedError`."""
    if any(lock.is_locked(name) for lock in read_locks(handler)):
        raise FieldLockedError


def refuse_if_all_locked(handler: PdfHandler, name: str) -> None:
    """Raises `FieldLockedError` if neither a new field of this name nor any empty one can be signed."""
    locks = list(read_locks(handler))
    empty = [found for found, _, _ in enumerate_sig_fields(handler, filled_status=False)] if locks else []
    if all(any(lock.is_locked(each) for lock in locks) for each in [name, *empty]):
        raise FieldLockedError


def find_empty_field(handler: PdfHandler, name: str) -> IndirectObject | None:
    """The empty signature field of that full name; None if there is no field of the name at all.

    Raises `FieldNameTakenError`.
    """
    for found, value, reference in enumerate_sig_fields(handler):
        if found == name:
            if value is not None:
                raise FieldNameTakenError
            return reference  # type: ignore[no-any-return]
    if any(stands_in_the_way(each, name) for each in field_names(handler)):
        raise FieldNameTakenError
    return None


def stands_in_the_way(there: str, name: str) -> bool:
    """A name of several parts would lie below a field that is there, or the other way round."""
    return there == name or name.startswith(f"{there}.") or there.startswith(f"{name}.")


def field_names(handler: PdfHandler) -> set[str]:
    return {name for name, _ in all_fields(handler)}


def all_fields(handler: PdfHandler) -> Iterator[tuple[str, IndirectObject]]:
    """Full names, and where the fields are."""
    form = entry(handler.root, "/AcroForm")
    waiting = [(field, "", 0) for field in entry(form, "/Fields", ())] if form is not None else []
    while waiting:
        reference, above, depth = waiting.pop()
        field = reference.get_object()
        part = entry(field, "/T")
        name = above if part is None else f"{above}.{part}" if above else str(part)
        kids = [kid for kid in entry(field, "/Kids", ()) if "/T" in kid.get_object()]
        if part is not None and not kids:
            yield name, reference
        if depth < _DEEPEST_FORM:
            waiting += [(kid, name, depth + 1) for kid in kids]


def add_empty_field(writer: IncrementalPdfFileWriter, new: NewField, pages: int) -> None:
    """Raises `FieldNameTakenError`, `PageOutOfRangeError`, `BoxOffPageError`."""
    if find_empty_field(writer, new.name) is not None:
        raise FieldNameTakenError
    lock = FieldMDPSpec(FieldMDPAction.INCLUDE, list(new.lock)) if new.lock else None
    spec = SigFieldSpec(new.name, on_page=0, field_mdp_spec=lock)
    if new.place is not None:
        box = place_of(writer, new.place, pages)
        # It stands empty until its turn comes, and a frame would be taken for part of the document.
        spec = replace(spec, on_page=new.place.page - 1, box=box)  # type: ignore[arg-type]  # pyHanko says int
    append_signature_field(writer, spec)


def lock_of(lock: FieldLock | None) -> FieldMDPSpec | None:
    return FieldMDPSpec(FieldMDPAction[lock.action.upper()], list(lock.fields)) if lock else None


def widgets_of(field: IndirectObject) -> list[IndirectObject]:
    """Where the field is shown: by itself or by children of its own."""
    found: DictionaryObject = field.get_object()  # type: ignore[no-untyped-call]  # pyHanko's is not annotated
    kids = entry(found, "/Kids")
    return [kids.raw_get(index) for index in range(len(kids))] if kids else [field]
