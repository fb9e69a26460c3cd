"""An operator's opt-in: credentials that PINs and one-time passwords open. Weaker than a passkey, and said to be so.

What is sealed here is never told again; a forgotten PIN is set anew, by a new object.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext_noop as _

from rssp.errors import AuthenticationObjectError, ExpressionError
from rssp.expressions import IDENTIFIER, OPERATORS, join_all, parse_expression
from rssp.models import AuthenticationObject, Credential
from rssp.one_time_passwords import SHORTEST_SECRET
from rssp.services.factors import place_of
from rssp.services.pins import keep_pin
from rssp.services.sealing import seal

Kind = AuthenticationObject.Kind
SHORTEST_PIN, LONGEST_PIN = 6, 64
_MOST_OBJECTS = 8
# As they are kept; whoever tells of them says them in its language.
_LABELS = {
    Kind.PIN: _("PIN"),
    Kind.TOTP: _("One-time password"),
    Kind.EMAIL: _("One-time password"),
    Kind.OCRA: _("Answer of your device"),
    Kind.PASSKEY: _("Your passkey"),
}
_DESCRIPTIONS = {
    Kind.PIN: "",
    Kind.TOTP: _("The digits that your authenticator shows now"),
    Kind.EMAIL: _("The digits that were sent to you by e-mail"),
    Kind.OCRA: _("The digits that your device shows for the challenge"),
    Kind.PASSKEY: _("You are asked on the authorization server's page"),
}
_GENERATORS = {Kind.TOTP: "TOTP", Kind.EMAIL: "e-mail", Kind.OCRA: "OCRA"}


@dataclass(frozen=True)
class NewObject:
    """An authentication object as an operator wants it. ``secret`` is the PIN, the device's secret in base32, the
    address, or nothing for a passkey."""

    identifier: str
    kind: str
    secret: str = field(default="", repr=False)


def verify_objects(*, objects: Sequence[NewObject], expression: str) -> str:
    """The expression, written with all its parentheses. Raises children of `ExplicitModeError`."""
    if not 1 <= len(objects) <= _MOST_OBJECTS:
        raise AuthenticationObjectError(f"A credential has 1 to {_MOST_OBJECTS} authentication objects.")
    names = [each.identifier for each in objects]
    for name in names:
        if not IDENTIFIER.fullmatch(name) or name.upper() in {*OPERATORS, "NOT"}:
            raise AuthenticationObjectError("An object's name is a letter, then letters, digits, '-' or '_'.")
    if len(set(names)) != len(names):
        raise AuthenticationObjectError("Two objects have one name.")
    for each in objects:
        _verify_secret(each)
    parsed = parse_expression(expression) if expression.strip() else join_all(names)
    if parsed.operands() != set(names):
        raise ExpressionError("The expression must name each object, and no other.")
    return str(parsed)


def _verify_secret(wanted: NewObject) -> None:
    match Kind(wanted.kind):
        case Kind.PIN:
            verify_pin(pin=wanted.secret)
        case Kind.TOTP | Kind.OCRA:
            _read_base32(wanted.secret)
        case Kind.EMAIL:
            try:
                validate_email(wanted.secret)
            except ValidationError:
                raise AuthenticationObjectError("The one-time password needs an e-mail address.") from None
        case Kind.PASSKEY:
            if wanted.secret:
                raise AuthenticationObjectError("A passkey has no secret here.")


def verify_pin(*, pin: str) -> None:
    """Raises `AuthenticationObjectError` for a PIN that is short, or that everybody tries first."""
    if not SHORTEST_PIN <= len(pin) <= LONGEST_PIN or not pin.isprintable() or pin != pin.strip():
        raise AuthenticationObjectError(f"A PIN has {SHORTEST_PIN} to {LONGEST_PIN} characters, no blank at an end.")
    steps = {ord(right) - ord(left) for left, right in pairwise(pin)}
    if len(set(pin)) < 3 or steps in ({1}, {-1}):
        raise AuthenticationObjectError("That PIN is guessed at once.")


def _read_base32(secret: str) -> str:
    """Upper case, padded: as it is kept."""
    plain = re.sub(r"[\s=-]", "", secret).upper()
    padded = plain + "=" * (-len(plain) % 8)
    try:
        decoded = base64.b32decode(padded)
    except binascii.Error:
        raise AuthenticationObjectError("A device's secret is base32.") from None
    if len(decoded) < SHORTEST_SECRET:
        raise AuthenticationObjectError(f"A device's secret has at least {SHORTEST_SECRET} bytes.")
    return padded


def add_objects(*, credential: Credential, objects: Sequence[NewObject]) -> None:
    """What `verify_objects` took, in the caller's transaction."""
    for wanted in objects:
        kind = Kind(wanted.kind)
        row = AuthenticationObject(
            credential=credential,
            identifier=wanted.identifier,
            kind=kind,
            label=_LABELS[kind],
            description=_DESCRIPTIONS[kind],
            format=_format(wanted),
            generator=_GENERATORS.get(kind, ""),
        )
        if kind != Kind.PASSKEY:
            row.secret = seal(value=_kept(wanted, place_of(row)), place=place_of(row))
        row.save(force_insert=True)


def _kept(wanted: NewObject, place: str) -> str:
    match Kind(wanted.kind):
        case Kind.PIN:
            return keep_pin(pin=wanted.secret, place=place)
        case Kind.TOTP | Kind.OCRA:
            return _read_base32(wanted.secret)
    return wanted.secret


def _format(wanted: NewObject) -> str:
    if wanted.kind == Kind.PASSKEY:
        return ""
    if wanted.kind != Kind.PIN or (wanted.secret.isascii() and wanted.secret.isdigit()):
        return "N"
    return "A" if wanted.secret.isascii() and wanted.secret.isalnum() else ""
