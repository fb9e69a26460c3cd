"""Authentication objects as a client is told of them, in the words of both versions (CSC API v1, 8.2; v2, 8.3)."""

from collections.abc import Sequence
from itertools import product

from django.utils.translation import gettext

from rssp.expressions import Expression, join_all, parse_expression
from rssp.models import AuthenticationObject, Credential
from rssp.models.prepared import Prepared
from rssp.wire.explicit import AuthDescription, ObjectDescription, Presence, Word

Kind = AuthenticationObject.Kind
TYPES = {
    Kind.PIN: "Password",
    Kind.TOTP: "Password",
    Kind.EMAIL: "ChallengeResponse",
    Kind.OCRA: "ChallengeResponse",
    Kind.PASSKEY: "PasswordOOB",
}
# What version 1 calls a PIN and an OTP; an answer to a challenge has no place there.
WORDS: dict[Word, tuple[AuthenticationObject.Kind, ...]] = {"PIN": (Kind.PIN,), "OTP": (Kind.TOTP, Kind.EMAIL)}

_LIST = Prepared(lambda pk: AuthenticationObject.objects.filter(credential_id=pk).order_by("pk"), int)


def list_objects(*, credential: Credential) -> list[AuthenticationObject]:
    found = _LIST.all(credential.pk)
    for each in found:
        each.credential = credential
    return found


def read_expression(*, credential: Credential, objects: Sequence[AuthenticationObject]) -> Expression:
    """Which of the objects, of which there is one at least, open the credential; nothing said means all."""
    if credential.auth_expression:
        return parse_expression(credential.auth_expression)
    return join_all([each.identifier for each in objects])


def find_version_1(*, objects: Sequence[AuthenticationObject], word: Word) -> AuthenticationObject | None:
    """The object that version 1 calls ``PIN`` or ``OTP``: the first of that kind."""
    return next((each for each in objects if each.kind in WORDS[word]), None)


def describe_auth(*, credential: Credential) -> AuthDescription:
    """How an explicit or implicit credential is opened."""
    objects = list_objects(credential=credential)
    expression = read_expression(credential=credential, objects=objects)
    words = {
        found.pk: (word, presence)
        for word, presence in _read_presences(objects, expression).items()
        if (found := find_version_1(objects=objects, word=word)) is not None
    }
    return AuthDescription(
        mode=credential.csc_auth_mode,
        expression=str(expression),
        objects=tuple(_describe(each, *words.get(each.pk, (None, "false"))) for each in objects),
    )


def _describe(found: AuthenticationObject, word: Word | None, presence: Presence) -> ObjectDescription:
    return ObjectDescription(
        identifier=found.identifier,
        type=TYPES[Kind(found.kind)],
        label=gettext(found.label),
        description=found.description and gettext(found.description),
        format=found.format,
        generator=found.generator,
        version_1=word,
        presence=presence,
        is_online=found.kind == Kind.EMAIL,
    )


def _read_presences(objects: Sequence[AuthenticationObject], expression: Expression) -> dict[Word, Presence]:
    """Whether version 1 needs PIN and OTP, may have them, or has no use for them.

    What is asked for out of band joins in there by itself.
    """
    pin, otp = (find_version_1(objects=objects, word=word) for word in WORDS)
    asked = [each.identifier for each in objects if each.kind == Kind.PASSKEY]
    opening = []
    for chosen in product((True, False), repeat=2):
        given = [each.identifier for each, is_given in zip((pin, otp), chosen, strict=True) if each and is_given]
        if expression.evaluate(given) or expression.evaluate([*given, *asked]):
            opening.append(chosen)
    return {
        word: _presence([chosen[place] for chosen in opening]) if found is not None else "false"
        for place, (word, found) in enumerate(zip(WORDS, (pin, otp), strict=True))
    }


def _presence(chosen: Sequence[bool]) -> Presence:
    if not any(chosen):
        return "false"
    return "true" if all(chosen) else "optional"
