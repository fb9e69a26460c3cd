"""The restore epoch: a small data object of the token, which no restored database brings back.

Raising writes the new object before it removes the old one; where two are found, the higher one holds.
"""

from typing import Any

from pkcs11 import Attribute, ObjectClass, PKCS11Error, Session

from rssp.hsm.interface import Epoch
from rssp.hsm.sessions import HsmSession

_LABEL = "paraph restore epoch"
_TEMPLATE: dict[Attribute, Any] = {Attribute.CLASS: ObjectClass.DATA, Attribute.LABEL: _LABEL}


def read_epoch(session: HsmSession) -> Epoch:
    """From the session's own memory of the object, if it is still there."""
    if session.epoch is not None:
        try:
            return _decode(session.epoch[Attribute.VALUE])
        except PKCS11Error:
            session.epoch = None
    found = _find(session.raw)
    if not found:
        session.connection.token.slot.get_token()  # a token that is gone shows no objects either
        return Epoch(0, 0)
    session.epoch = max(found, key=lambda item: _decode(item[Attribute.VALUE]).number)
    return _decode(session.epoch[Attribute.VALUE])


def raise_epoch(session: Session, *, epoch: Epoch) -> None:
    old = _find(session)
    value = epoch.number.to_bytes(8, "big") + epoch.begun.to_bytes(8, "big")
    session.create_object(
        {
            **_TEMPLATE,
            Attribute.APPLICATION: "paraph",
            Attribute.TOKEN: True,
            Attribute.PRIVATE: True,
            Attribute.MODIFIABLE: False,
            Attribute.VALUE: value,
        }
    )
    for item in old:
        item.destroy()


def _find(session: Session) -> list[Any]:
    return list(session.get_objects(_TEMPLATE))


def _decode(value: bytes) -> Epoch:
    return Epoch(int.from_bytes(value[:8], "big"), int.from_bytes(value[8:16], "big"))
