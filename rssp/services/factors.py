"""The factors that a client collected: counted before they are looked at, all looked at before one is named wrong.

A count is committed first, so that no error, crash or second call makes a try free. After the last try the object is
closed for a while, longer each time, and opens again by itself: whoever holds somebody's service token can close what
it opens, and shall not do so for ever.
"""

import base64
import hmac
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from django.conf import settings
from django.db import connections, router, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import salted_hmac

from rssp.errors import (
    FactorError,
    FactorLockedError,
    InvalidParameterError,
    WrongFactorsError,
    WrongOneTimePasswordError,
    WrongPinError,
)
from rssp.models import AuthenticationObject, Challenge, Credential
from rssp.models.prepared import Prepared
from rssp.one_time_passwords import find_totp_step
from rssp.services.commits import committed_with_the_next
from rssp.services.hsm import get_hsm
from rssp.services.objects import WORDS, list_objects, read_expression
from rssp.services.pins import is_outdated, is_pin, keep_pin
from rssp.services.sealing import seal, unseal

Kind = AuthenticationObject.Kind
_LONGEST_LOCK = timedelta(days=1)
# Written once: the ORM would compile them anew for each try.
_HOLD = Prepared(lambda pk: AuthenticationObject.objects.select_for_update().filter(pk=pk), int)
_COUNT = "UPDATE rssp_authenticationobject SET attempts = %s, lockouts = %s, locked_until = %s WHERE id = %s"


def verify_factors(
    *, credential: Credential, given: Mapping[str, str | None], client_id: str
) -> list[AuthenticationObject]:
    """The objects that are given, each of them verified but for those that are asked for out of band.

    Every object that is given must be right, and together they must open the credential. Raises children of
    `FactorError`, or `InvalidParameterError` for an object that the credential does not have.
    """
    objects = list_objects(credential=credential)
    if not set(given) <= {each.identifier for each in objects}:
        raise InvalidParameterError("authData")
    chosen = [each for each in objects if each.identifier in given]
    if not read_expression(credential=credential, objects=objects).evaluate(given):
        raise _missing(objects, chosen)
    if any(each.kind == Kind.PIN for each in chosen):
        get_hsm().verify_available()  # a token that is gone costs nobody a try
    _count_try(chosen)
    looked_at = [each for each in chosen if each.kind != Kind.PASSKEY]
    wrong = [each for each in looked_at if not _verify(each, given[each.identifier] or "", client_id)]
    if wrong:
        raise _wrong(wrong)
    # The disk is waited for with the authorisation: what a loss of power takes away is a success.
    with committed_with_the_next(using=router.db_for_write(AuthenticationObject)):
        forget_tries(objects=looked_at)
    return chosen


def _missing(objects: Iterable[AuthenticationObject], chosen: Iterable[AuthenticationObject]) -> FactorError:
    """Nothing was looked at; version 1 has words for a missing PIN and a missing OTP."""
    given = {each.pk for each in chosen}
    return _wrong([each for each in objects if each.pk not in given])


def _wrong(objects: Iterable[AuthenticationObject]) -> FactorError:
    """The one-time password first: whether a PIN was right is told to nobody without the other factor."""
    kinds = {each.kind for each in objects}
    if kinds & set(WORDS["OTP"]):
        return WrongOneTimePasswordError("the one-time password is wrong")
    if Kind.PIN in kinds:
        return WrongPinError("the PIN is wrong")
    return WrongFactorsError("the factors do not open the credential")


# --- Counting -----------------------------------------------------------------------------------------------


def _count_try(chosen: Iterable[AuthenticationObject]) -> None:
    """One try of each, or of none if one is closed. Committed when this returns."""
    now = timezone.now()
    with transaction.atomic(using=router.db_for_write(AuthenticationObject), durable=True):
        held = [row for each in sorted(chosen, key=_by_key) for row in _HOLD.all(each.pk)]
        for row in held:
            verify_unlocked(authentication_object=row)
        for row in held:
            if row.locked_until is not None:  # it is over
                row.attempts, row.locked_until = 0, None
            row.attempts += 1
            if row.attempts >= settings.RSSP_FACTOR_TRIES:
                row.locked_until = now + _lock_time(row.lockouts)
                row.lockouts += 1
            _keep_count(row)


def _by_key(factor: AuthenticationObject) -> int:
    return int(factor.pk)


def _keep_count(factor: AuthenticationObject) -> None:
    connection = connections[router.db_for_write(AuthenticationObject)]
    until = connection.ops.adapt_datetimefield_value(factor.locked_until)
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [factor.attempts, factor.lockouts, until, factor.pk])


def _lock_time(lockouts: int) -> timedelta:
    first = timedelta(seconds=settings.RSSP_FACTOR_LOCK_SECONDS)
    return min(first * (1 << min(lockouts, 20)), _LONGEST_LOCK)


def verify_unlocked(*, authentication_object: AuthenticationObject) -> None:
    """Raises `FactorLockedError` while the object is closed."""
    until = authentication_object.locked_until
    if until is not None and until > timezone.now():
        word = {Kind.PIN: "PIN", Kind.TOTP: "OTP", Kind.EMAIL: "OTP"}.get(Kind(authentication_object.kind))
        raise FactorLockedError(word or "Credential")


def forget_tries(*, objects: Iterable[AuthenticationObject]) -> None:
    """After a success, or by an operator."""
    with connections[router.db_for_write(AuthenticationObject)].cursor() as cursor:
        for each in objects:
            cursor.execute(_COUNT, [0, 0, None, each.pk])


# --- Looking ------------------------------------------------------------------------------------------------


def _verify(factor: AuthenticationObject, value: str, client_id: str) -> bool:
    return _VERIFIERS[Kind(factor.kind)](factor, value, client_id)


def place_of(factor: AuthenticationObject) -> str:
    """What its secret is sealed for."""
    return f"{factor.credential.credential_id}/{factor.identifier}"


def _read_secret(factor: AuthenticationObject) -> str:
    return unseal(sealed=factor.secret, place=place_of(factor))


def _verify_pin(factor: AuthenticationObject, value: str, _client_id: str) -> bool:
    kept, place = _read_secret(factor), place_of(factor)
    if not is_pin(pin=value, kept=kept, place=place):
        return False
    if is_outdated(kept):
        anew = seal(value=keep_pin(pin=value, place=place), place=place)
        AuthenticationObject.objects.filter(pk=factor.pk, secret=factor.secret).update(secret=anew)
    return True


def _verify_totp(factor: AuthenticationObject, value: str, _client_id: str) -> bool:
    secret = base64.b32decode(_read_secret(factor))
    step = find_totp_step(secret=secret, value=value, now=int(time.time()))
    if step is None:
        return False
    unused = AuthenticationObject.objects.filter(Q(last_step=None) | Q(last_step__lt=step), pk=factor.pk)
    return unused.update(last_step=step) == 1


def _verify_answer(factor: AuthenticationObject, value: str, client_id: str) -> bool:
    """The answer to the last challenge, which is spent by it."""
    last = Challenge.objects.filter(authentication_object=factor, client_id=client_id).order_by("-pk").first()
    expected = last.answer_hash if last is not None else ""
    if not hmac.compare_digest(expected, hash_answer(factor, value)) or last is None:
        return False
    fresh = Challenge.objects.filter(pk=last.pk, used=None, expires__gt=timezone.now())
    return fresh.update(used=timezone.now()) == 1


def hash_answer(factor: AuthenticationObject, answer: str) -> str:
    """What is kept of an answer that is expected: keyed, because six digits are soon tried out."""
    return salted_hmac("rssp.Challenge", f"{factor.pk}/{answer}", algorithm="sha256").hexdigest()


_VERIFIERS: dict[AuthenticationObject.Kind, Callable[[AuthenticationObject, str, str], bool]] = {
    Kind.PIN: _verify_pin,
    Kind.TOTP: _verify_totp,
    Kind.EMAIL: _verify_answer,
    Kind.OCRA: _verify_answer,
}
