"""Fills signapp's library in its own process: copies of one signed document, each with bytes, key and files of its own.

``manage.py shell -c "from tests.flows import filling; filling.fill(10000)"``, and ``filling.count_intact()`` reads
every one again.
"""

import hashlib
import secrets
import shutil
import uuid
from io import BytesIO

from signapp import documents
from signapp.models import Document, StoredFile

_BYTES = 50_000


def fill(count: int) -> None:
    pattern = Document.objects.exclude(signed=None).get()
    contents = [_read(pattern.original), _read(pattern.signed)]
    for number in range(count):
        # What follows the end of a PDF makes it another file, and is no matter to any reader.
        mark = b"%" + secrets.token_hex(_BYTES // 2).encode() + b"\n"
        pattern.pk, pattern._state.adding = uuid.uuid4(), True
        pattern.original, pattern.signed = (documents.store_file(BytesIO(content + mark)) for content in contents)
        pattern.name, pattern.sha256 = f"{number}.pdf", hashlib.sha256(contents[0] + mark).hexdigest()
        pattern.save()


def count_intact() -> None:
    """Prints how many files decrypt to what their rows say, and how many there are."""
    rows = StoredFile.objects.all()
    print(sum(hashlib.sha256(_read(row)).hexdigest() == row.sha256 for row in rows.iterator()), rows.count())  # noqa: T201


def _read(stored: StoredFile | None) -> bytes:
    assert stored is not None
    with documents.open_file(stored) as file, BytesIO() as content:
        shutil.copyfileobj(file, content)
        return content.getvalue()
