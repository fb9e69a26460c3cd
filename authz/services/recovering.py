"""Back in without a passkey: the password and a printed code, and then a new passkey, at once.

No session is opened by the code. What signs does not come back with it: rssp binds credentials to passkeys by itself,
and the new one is bound to none.
"""

from django.db import transaction

from authz.factors.interface import VerifiedRegistration
from authz.models import Passkey, User
from authz.services import browser_sessions, devices, passkeys, recovery_codes
from authz.services.events import Visitor


def recover_access(
    *, user: User, code_id: int, registration: VerifiedRegistration, passkey_name: str, visitor: Visitor
) -> Passkey:
    """Uses the code up for a new passkey, and ends every session and every trust of a device.

    ``code_id`` was read by `recovery_codes.read_code` within minutes, after the password. Raises `WrongFactorError` or
    `PasskeyRefusedError`, and nothing is used up.
    """
    with transaction.atomic():
        recovery_codes.use_code(user=user, code_id=code_id, visitor=visitor)
        passkey = passkeys.add_passkey(user=user, registration=registration, name=passkey_name, visitor=visitor)
        browser_sessions.end_all_sessions(user=user)
        devices.forget_devices(user=user)
    return passkey
