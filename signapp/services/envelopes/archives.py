"""Documents of several envelopes as one ZIP file (APPNOTE 6.3): a folder for each envelope."""

import shutil
import uuid
import zipfile
from collections.abc import Iterable
from typing import IO

from signapp import documents
from signapp.errors import DownloadTooLargeError
from signapp.models import Envelope
from signapp.services.envelopes.access import find_envelope
from signapp.services.logins import Account
from signapp.wire import clean_file_name

_MOST_BYTES = 500_000_000
# What file systems refuse in names, beside what `clean_file_name` takes away.
_REFUSED = str.maketrans('/\\:*?"<>|', "_" * 9)


def zip_envelopes(*, account: Account, envelope_ids: Iterable[uuid.UUID]) -> IO[bytes]:
    """Each document's last revision; the caller closes it.

    Raises `EnvelopeNotFoundError` for one that is not this account's, `DownloadTooLargeError`, `StorageError`.
    """
    found = [find_envelope(account=account, envelope_id=each) for each in dict.fromkeys(envelope_ids)]
    parts = [
        (part, part.current)
        for envelope in found
        for part in envelope.documents.select_related("current")
        if part.current is not None
    ]
    if sum(current.size for _, current in parts) > _MOST_BYTES:
        raise DownloadTooLargeError
    folders = _name_folders(found)
    file = documents.temporary_file()
    try:
        # Signed PDFs are compressed inside, and their bytes are what is signed: they are stored as they are.
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for part, current in parts:
                name = f"{folders[part.envelope_id]}/{part.position:02} {_clean(part.name)}"
                with documents.open_file(current) as source, archive.open(name, "w", force_zip64=True) as target:
                    shutil.copyfileobj(source, target)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _name_folders(found: Iterable[Envelope]) -> dict[uuid.UUID, str]:
    """Titles may repeat, folders may not, whatever a file system thinks of letters' case."""
    names: dict[uuid.UUID, str] = {}
    taken: set[str] = set()
    for envelope in found:
        title = _clean(envelope.title).rstrip(". ")
        name, number = title, 1
        while name.casefold() in taken:
            number += 1
            name = f"{title} ({number})"
        taken.add(name.casefold())
        names[envelope.pk] = name
    return names


def _clean(name: str) -> str:
    return clean_file_name(name.translate(_REFUSED))
