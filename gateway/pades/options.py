"""What a signature may say and look like beside the certificate: small, frozen, JSON-shaped."""

import base64
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True)
class Place:
    """Where on a page, as a reader sees the page: turned and cropped as it is shown. ``page`` counts from 1; ``box`` is
    left, bottom, right, top in 1/72 inch from the lower left corner of what is shown."""

    page: int
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class NewField:
    """An empty field for somebody who fills or signs it, now or later.

    ``kind`` is ``signature``, ``text`` or ``checkbox``; ``label`` is what it is called (ISO 32000-1, 12.7.3.1: TU). A
    signature field alone may be nowhere to be seen, and may say which fields nobody changes once it is signed.
    """

    name: str
    place: Place | None
    kind: str = "signature"
    label: str = ""
    lock: tuple[str, ...] = ()


@dataclass(frozen=True)
class FieldValue:
    """What the signer puts into a field before signing: text, a picture that stands for it, a tick, or
    nothing: then it stays empty."""

    name: str
    text: str = ""
    image: bytes = field(default=b"", repr=False)
    checked: bool = False


@dataclass(frozen=True)
class Appearance:
    """What a visible signature shows, side by side: a picture (PNG or JPEG bytes), lines of text, a QR code."""

    text: str = ""
    image: bytes = field(default=b"", repr=False)
    qr: str = ""


@dataclass(frozen=True)
class FieldLock:
    """Which fields nobody changes after this signature (ISO 32000-1, 12.7.4.5): ``action`` is All, Include or
    Exclude."""

    action: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class SignaturePolicy:
    """The policy that the signature is made under (EN 319 122-1, 5.2.9): its identifier, the digest of its document,
    and where that is."""

    oid: str
    hash_name: str
    digest: bytes
    uri: str = ""


@dataclass(frozen=True)
class SignatureOptions:
    """``field_name``: an empty field that is there, or one to be made; ``certify``: the level of DocMDP, or none;
    ``commitment``: of EN 319 122-1, 5.2.3, without ``proof_of_``; ``roles`` are claimed ones."""

    field_name: str = ""
    place: Place | None = None
    appearance: Appearance | None = None
    certify: int | None = None
    lock: FieldLock | None = None
    new_fields: tuple[NewField, ...] = ()
    values: tuple[FieldValue, ...] = ()
    reason: str = ""
    location: str = ""
    contact: str = ""
    policy: SignaturePolicy | None = None
    commitment: str = ""
    roles: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        value = asdict(self)
        if self.appearance is not None:
            value["appearance"]["image"] = base64.b64encode(self.appearance.image).decode()
        for each in value["values"]:
            each["image"] = base64.b64encode(each["image"]).decode()
        if self.policy is not None:
            value["policy"]["digest"] = self.policy.digest.hex()
        return value

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        place, appearance, lock, policy = (value[name] for name in ("place", "appearance", "lock", "policy"))
        if appearance:
            appearance = Appearance(**{**appearance, "image": base64.b64decode(appearance["image"])})
        return cls(
            **{
                **value,
                "place": _place(place) if place else None,
                "appearance": appearance or None,
                "lock": FieldLock(lock["action"], tuple(lock["fields"])) if lock else None,
                "new_fields": tuple(_new_field(each) for each in value["new_fields"]),
                "values": tuple(
                    FieldValue(**{**each, "image": base64.b64decode(each["image"])}) for each in value["values"]
                ),
                "policy": SignaturePolicy(**{**policy, "digest": bytes.fromhex(policy["digest"])}) if policy else None,
                "roles": tuple(value["roles"]),
            }
        )


def _new_field(value: dict[str, Any]) -> NewField:
    place = _place(value["place"]) if value["place"] else None
    return NewField(**{**value, "place": place, "lock": tuple(value["lock"])})


def _place(value: dict[str, Any]) -> Place:
    left, bottom, right, top = value["box"]
    return Place(value["page"], (left, bottom, right, top))
