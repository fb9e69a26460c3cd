"""What became of each row, as comma-separated values that a spreadsheet opens without running anything of it."""

import csv
import io
from collections.abc import Iterator

from django.conf import settings
from django.urls import reverse

from signapp.models import BulkSend
from signapp.services.bulk.reading import FORMULA

HEADER = ("line", "name", "email", "result", "envelope state", "link")


def harmless(cell: object) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = str(cell)
    return f"'{text}" if text.startswith(FORMULA) else text


def write_results(bulk: BulkSend) -> Iterator[str]:
    """Lines, the first with a byte order mark, by which spreadsheets know UTF-8."""
    yield "\ufeff" + _line(HEADER)
    for row in bulk.rows.select_related("envelope").iterator(chunk_size=500):
        result = row.error_code or row.state
        envelope = row.envelope
        link = f"{settings.SIGNAPP_URL}{reverse('signapp:envelope', args=[envelope.pk])}" if envelope else ""
        yield _line((row.line, row.name, row.email, result, envelope.state if envelope else "", link))


def _line(cells: tuple[object, ...]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow([harmless(cell) for cell in cells])
    return buffer.getvalue()
