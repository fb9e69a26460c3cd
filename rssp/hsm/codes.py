"""Codes that only this token can make: HMAC with SHA-256 by a secret of its own, which never leaves it.

The secret is made with the first code. A token may have several: any of them verifies what it made.
"""

from typing import Any

from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass

from rssp.hsm.interface import CODE_KEY_ID
from rssp.hsm.keys import search
from rssp.hsm.sessions import HsmSession

_LABEL = "codes"
_TEMPLATE: dict[Attribute, Any] = {
    Attribute.CLASS: ObjectClass.SECRET_KEY,
    Attribute.KEY_TYPE: KeyType.GENERIC_SECRET,
    Attribute.ID: CODE_KEY_ID,
}


def make_code(session: HsmSession, *, data: bytes) -> bytes | None:
    """32 bytes, or nothing if the token has no secret."""
    secret: Any = next(iter(_find(session)), None)
    return None if secret is None else bytes(secret.sign(data, mechanism=Mechanism.SHA256_HMAC))


def make_first_code(session: HsmSession, *, data: bytes) -> bytes:
    """32 bytes, by a secret that is made if there still is none."""
    return make_code(session, data=data) or bytes(_generate(session).sign(data, mechanism=Mechanism.SHA256_HMAC))


def verify_code(session: HsmSession, *, data: bytes, code: bytes) -> bool:
    """Whether this token made the code over these data. A token that has no secret made none."""
    if _is_by_any(_find(session), data, code):
        return True
    session.code_secrets = []  # there may be another one by now
    return _is_by_any(_find(session), data, code)


def _is_by_any(secrets: list[Any], data: bytes, code: bytes) -> bool:
    return any(secret.verify(data, code, mechanism=Mechanism.SHA256_HMAC) for secret in secrets)


def _find(session: HsmSession) -> list[Any]:
    """Remembered by the session: a handle that is no secret's any more fails, and the session with it."""
    if not session.code_secrets:
        session.code_secrets = list(search(session.raw, _TEMPLATE))
    return session.code_secrets


def _generate(session: HsmSession) -> Any:
    session.code_secrets = []
    return session.raw.generate_key(
        KeyType.GENERIC_SECRET,
        256,
        mechanism=Mechanism.GENERIC_SECRET_KEY_GEN,
        capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
        id=CODE_KEY_ID,
        label=_LABEL,
        store=True,
        template={
            Attribute.PRIVATE: True,
            Attribute.SENSITIVE: True,
            Attribute.EXTRACTABLE: False,
            Attribute.MODIFIABLE: False,
            Attribute.DERIVE: False,
        },
    )
