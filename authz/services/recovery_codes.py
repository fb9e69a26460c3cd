"""Recovery codes: printed once, each good for standing in for a passkey once, never for a password.

A code has 120 random bits, so its plain checksum cannot be turned round (NIST SP 800-63B, look-up secrets).
"""

import secrets
from base64 import b32encode

from django.db import transaction
from django.utils import timezone

from authz.errors import WrongFactorError
from authz.models import RecoveryCode, User
from authz.services.events import Kind, Visitor, record_event
from authz.services.secrets import checksum

COUNT = 8
_BYTES, _GROUP = 15, 4
# RFC 4648's alphabet has no 0, 1, 8: what is typed instead of the letters they look like.
_LOOKALIKES = str.maketrans("018", "OIB")


def create_codes(*, user: User, visitor: Visitor) -> list[str]:
    """New codes, told this once; those from before are worth nothing from now on."""
    codes = [_format(secrets.token_bytes(_BYTES)) for _ in range(COUNT)]
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        RecoveryCode.objects.filter(user=user, used=None).delete()
        RecoveryCode.objects.bulk_create(RecoveryCode(user=user, checksum=checksum(_normal(code))) for code in codes)
        record_event(user=user, kind=Kind.CODES_MADE, visitor=visitor)
    return codes


def count_left(*, user: User) -> int:
    """How many codes are not used yet."""
    return RecoveryCode.objects.filter(user=user, used=None).count()


def read_code(*, user: User, code: str) -> RecoveryCode:
    """The user's unused code; raises `WrongFactorError`. It is not used up yet."""
    row = RecoveryCode.objects.filter(user=user, checksum=checksum(_normal(code)), used=None).first()
    if row is None:
        raise WrongFactorError("Password or passkey did not fit.")
    return row


def use_code(*, user: User, code_id: int, visitor: Visitor) -> None:
    """In the caller's transaction, with what the code was given for; raises `WrongFactorError` the second time."""
    if not RecoveryCode.objects.filter(pk=code_id, user=user, used=None).update(used=timezone.now()):
        raise WrongFactorError("Password or passkey did not fit.")
    record_event(user=user, kind=Kind.CODE_USED, visitor=visitor)


def _format(value: bytes) -> str:
    text = b32encode(value).decode()
    return "-".join(text[index : index + _GROUP] for index in range(0, len(text), _GROUP))


def _normal(code: str) -> str:
    return "".join(code.upper().translate(_LOOKALIKES).replace("-", " ").split())
