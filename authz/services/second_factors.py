"""What stands beside a password or a mailed link where an account's entrance is changed: a passkey, or a recovery code.

A code is read here and used up with what it was given for, in one transaction, so that a failure later loses none.
"""

from dataclasses import dataclass

from authz.errors import WrongFactorError
from authz.models import User
from authz.services import passkeys, recovery_codes, throttling
from authz.services.events import Visitor


@dataclass(frozen=True)
class VerifiedSecondFactor:
    """Somebody proved to have one of the account's second factors. ``code_id`` is a recovery code, not used up yet."""

    user: User
    code_id: int | None = None


def verify_second_factor(
    *, user: User, response: str, code: str, challenge: bytes, visitor: Visitor
) -> VerifiedSecondFactor:
    """A passkey's ``response`` to ``challenge``, or where that is empty a recovery code.

    Raises `ThrottledError` or `WrongFactorError`; ``challenge`` was taken from where it was kept.
    """
    throttling.count_attempt(account=user.email, address=visitor.address)
    if not user.is_active:
        raise WrongFactorError("Password or passkey did not fit.")
    if response:
        passkey = passkeys.read_passkey(user=user, response=response)
        assertion = passkeys.verify_assertion(passkey=passkey, response=response, challenge=challenge, visitor=visitor)
        passkeys.record_use(passkey=passkey, assertion=assertion)
        verified = VerifiedSecondFactor(user)
    else:
        verified = VerifiedSecondFactor(user, recovery_codes.read_code(user=user, code=code).pk)
    throttling.forgive_attempt(account=user.email, address=visitor.address)
    return verified


def use_up(*, verified: VerifiedSecondFactor, visitor: Visitor) -> None:
    """In the transaction of what it was given for; raises `WrongFactorError` for a code that was used meanwhile."""
    if verified.code_id is not None:
        recovery_codes.use_code(user=verified.user, code_id=verified.code_id, visitor=visitor)
