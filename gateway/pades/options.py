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
    """An empty signature field for somebody who signs later."""

    name: str
    place: Place


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
                "new_fields": tuple(NewField(each["name"], _place(each["place"])) for each in value["new_fields"]),
                "policy": SignaturePolicy(**{**policy, "digest": bytes.fromhex(policy["digest"])}) if policy else None,
                "roles": tuple(value["roles"]),
            }
        )


def _place(value: dict[str, Any]) -> Place:
    left, bottom, right, top = value["box"]
    return Place(value["page"], (left, bottom, right, top))
