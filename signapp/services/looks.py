"""What somebody's signature and initials look like: kept, shown, put into documents."""

import io
from typing import IO

from django.utils import timezone

from signapp import documents, errors, pictures
from signapp.models import Look
from signapp.services.documents import open_stored
from signapp.services.logins import Account

_LONGEST_INITIALS = 4


def initials_of(name: str) -> str:
    """The first letter of each part of a name; of one that has no parts, its first letter."""
    return "".join(part[0] for part in name.split() if part[0].isalnum())[:_LONGEST_INITIALS].upper() or name[:1]


def list_looks(*, account: Account) -> dict[str, Look]:
    """By kind."""
    return {look.kind: look for look in Look.objects.filter(issuer=account.issuer, subject=account.subject)}


def keep_look(*, account: Account, kind: Look.Kind, style: Look.Style, upload: IO[bytes]) -> Look:
    """The picture takes the former one's place. Raises `PictureError`, `StorageFullError`; then that one stays."""
    stored = documents.store_file(io.BytesIO(pictures.read_picture(upload)))
    former = Look.objects.filter(issuer=account.issuer, subject=account.subject, kind=kind).first()
    look, _created = Look.objects.update_or_create(
        issuer=account.issuer,
        subject=account.subject,
        kind=kind,
        defaults={"style": style, "picture": stored, "updated": timezone.now()},
    )
    documents.delete_file(former.picture if former else None)
    return look


def find_look(*, account: Account, kind: Look.Kind) -> Look:
    """Raises `LookNotFoundError`."""
    look = list_looks(account=account).get(kind)
    if look is None:
        raise errors.LookNotFoundError
    return look


def delete_look(*, account: Account, kind: Look.Kind) -> None:
    """One that is not there is no fault."""
    look = list_looks(account=account).get(kind)
    if look is not None:
        picture = look.picture
        look.delete()
        documents.delete_file(picture)


def read_picture(*, account: Account, kind: Look.Kind) -> bytes:
    """The PNG; nothing if there is none. Raises `StorageError`."""
    look = Look.objects.filter(issuer=account.issuer, subject=account.subject, kind=kind).first()
    if look is None or look.picture is None:
        return b""
    with open_stored(look.picture) as file:
        return file.read()
