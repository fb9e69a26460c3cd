"""``credentials/sendOTP`` and ``credentials/getChallenge``: an answer is expected, once and soon, from this client."""

import base64
import math
from datetime import timedelta

from django.conf import settings
from django.db import router, transaction
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from rssp.clients.introspection import VerifiedToken
from rssp.errors import InvalidParameterError, MessageNotSentError, TooManyChallengesError
from rssp.models import AuthenticationObject, Challenge, Credential
from rssp.one_time_passwords import CHALLENGE_DIGITS, DIGITS, answer_challenge, random_digits
from rssp.services.credentials import find_credential, verify_usable
from rssp.services.factors import hash_answer, place_of, verify_unlocked
from rssp.services.objects import list_objects
from rssp.services.sealing import unseal

Kind = AuthenticationObject.Kind
_MOST_AN_HOUR = 10


def send_one_time_password(*, token: VerifiedToken, credential_id: str) -> None:
    """To the address of the credential's object. Raises `CredentialError`, `FactorLockedError`,
    `TooManyChallengesError`, `MessageNotSentError`, or `InvalidParameterError` where nothing is sent by e-mail."""
    credential = find_credential(token=token, credential_id=credential_id)
    verify_usable(credential=credential)
    factors = [each for each in list_objects(credential=credential) if each.kind == Kind.EMAIL]
    if not factors:
        raise InvalidParameterError("credentialID")
    _send(credential, factors[0], token.client_id)


def get_challenge(*, token: VerifiedToken, credential_id: str, identifier: str) -> str | None:
    """The challenge to show to the signer; None where it was sent to them. Raises as `send_one_time_password`."""
    credential = find_credential(token=token, credential_id=credential_id)
    verify_usable(credential=credential)
    factor = next((each for each in list_objects(credential=credential) if each.identifier == identifier), None)
    if factor is None or factor.kind not in {Kind.EMAIL, Kind.OCRA}:
        raise InvalidParameterError("authObjectID")
    if factor.kind == Kind.EMAIL:
        _send(credential, factor, token.client_id)
        return None
    challenge = random_digits(CHALLENGE_DIGITS)
    secret = base64.b32decode(unseal(sealed=factor.secret, place=place_of(factor)))
    _expect(factor, token.client_id, answer_challenge(secret=secret, challenge=challenge), pause=timedelta())
    return challenge


def _send(credential: Credential, factor: AuthenticationObject, client_id: str) -> None:
    password, address = random_digits(DIGITS), unseal(sealed=factor.secret, place=place_of(factor))
    pause = timedelta(seconds=settings.RSSP_OTP_RESEND_SECONDS)
    _expect(factor, client_id, password, pause=pause)
    minutes = settings.RSSP_OTP_SECONDS // 60
    opens = _(
        'It opens your signing key "%(credential)s" once, within %(minutes)d minutes, for the application %(client)s.'
    )
    sent = import_string(settings.LETTERS)(
        to=address,
        subject=_("Your one-time password"),
        before=[_("%(password)s is your one-time password.") % {"password": password}],
        ask=[opens % {"credential": credential.description, "minutes": minutes, "client": client_id}],
        after=[
            _(
                "If you are signing nothing now, somebody else is trying to: tell no one this password, and inform your"
                " operator."
            )
        ],
    )
    if not sent:
        raise MessageNotSentError("the one-time password was not sent")


def _expect(factor: AuthenticationObject, client_id: str, answer: str, *, pause: timedelta) -> None:
    """From now on ``answer`` is the one that counts; an earlier one does not any more."""
    now = timezone.now()
    with transaction.atomic(using=router.db_for_write(Challenge), durable=True):
        held = AuthenticationObject.objects.select_for_update().get(pk=factor.pk)
        verify_unlocked(authentication_object=held)
        lately = Challenge.objects.filter(authentication_object=held, created__gt=now - timedelta(hours=1))
        times = list(lately.order_by("created").values_list("created", flat=True))
        free = [times[-1] + pause] if times else []
        if len(times) >= _MOST_AN_HOUR:
            free.append(times[-_MOST_AN_HOUR] + timedelta(hours=1))
        if free and (until := max(free)) > now:
            seconds = math.ceil((until - now).total_seconds())
            raise TooManyChallengesError("there was a challenge a moment ago, or there were too many", seconds=seconds)
        Challenge.objects.create(
            authentication_object=held,
            client_id=client_id,
            answer_hash=hash_answer(held, answer),
            created=now,
            expires=now + timedelta(seconds=settings.RSSP_OTP_SECONDS),
        )
