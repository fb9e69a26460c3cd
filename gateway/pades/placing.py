"""Whether who reads the prepared file finds the signature where its value will be written. Runs in the child process,
before anybody approves: the finished file differs in that value alone (`finished`)."""

from pyhanko.pdf_utils.generic import IndirectObject
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import enumerate_sig_fields

from gateway.errors import DamagedPdfError


def verify_place(reader: PdfFileReader, field_name: str, *, start: int) -> None:
    """The field's value begins at ``start`` of the file that ``reader`` reads. What stands around it is for
    `to_be_signed.fix_signature` to say. Raises `DamagedPdfError`."""
    found = _find_value(reader, field_name)
    # Read as far as this it is ours to the byte; to have the library read it all would take as long as to sign.
    header = b"%d %d obj\n<<\n/Contents " % (found.idnum, found.generation)
    if reader.xrefs[found.reference] != start - len(header):
        raise DamagedPdfError


def _find_value(reader: PdfFileReader, field_name: str) -> IndirectObject:
    for name, _value, found in enumerate_sig_fields(reader, filled_status=True, with_name=field_name):
        if name == field_name:
            value = found.get_object().raw_get("/V")
            if isinstance(value, IndirectObject):
                return value
    raise DamagedPdfError
