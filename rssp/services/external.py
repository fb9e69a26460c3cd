"""Tokens of another OpenID provider: SCAL 1, one signature for each, with credentials that an operator made for them.

Such a token says who logged in and that the scope ``credential`` was granted. It names no digest and no credential, and
no passkey that this service knows has signed anything: whoever holds it chooses what is signed. So it is good once, for
minutes, for its user's own credentials of the mode `external`, and for no others.
"""

import hmac
import time
from datetime import UTC, datetime
from hashlib import sha256

from django.conf import settings
from django.db import IntegrityError, router, transaction

from rssp.clients.introspection import VerifiedToken
from rssp.errors import ActivationExpiredError, ActivationRefusedError, ActivationReplayedError, OldEpochError
from rssp.hsm.interface import Epoch
from rssp.models import ActivatedDigest, Activation, Credential
from rssp.services.ledger import ANY_DIGEST, SIGNABLE_HASH_TYPE
from rssp.services.macs import authenticate_activation

FACTORS = "a token of another provider"
_CLOCKS_DIFFER = 60


def activate_external(*, token: VerifiedToken, credential: Credential, epoch: Epoch) -> Activation:
    """One signature over any digest: made at the token's first use, found again later, spent by the ledger.

    Raises `ActivationRefusedError`, `ActivationExpiredError`, `OldEpochError`, or `ActivationReplayedError` for a token
    whose identifier another one had.
    """
    if token.issuer != settings.EXTERNAL_ISSUER or credential.auth_mode != Credential.AuthMode.EXTERNAL:
        raise ActivationRefusedError("the credential is not for tokens of this provider")
    if token.is_client:
        raise ActivationRefusedError("no person is behind the token")
    ends = min(token.expires_at, token.issued_at + settings.EXTERNAL_APPROVAL_SECONDS)
    if ends <= time.time():
        raise ActivationExpiredError("the token is too old to sign with")
    if token.issued_at <= epoch.begun + _CLOCKS_DIFFER:
        raise OldEpochError("it was issued before a restore")
    nonce = sha256(f"{token.issuer}\n{token.token_id}".encode()).hexdigest()
    known = Activation.objects.filter(nonce=nonce).first()
    if known is None:
        try:
            return _insert(nonce, ends, token, credential, epoch)
        except IntegrityError:
            # A parallel call was first, with this token or with another of the same identifier.
            known = Activation.objects.filter(nonce=nonce).first()
    if known is None or not hmac.compare_digest(known.sad_checksum, token.checksum):
        raise ActivationReplayedError("the token's identifier was used before")
    if (known.kind, known.credential_id) != (Activation.Kind.EXTERNAL, credential.pk):
        raise ActivationReplayedError("the token was used for another credential")
    return known


def _insert(nonce: str, ends: int, token: VerifiedToken, credential: Credential, epoch: Epoch) -> Activation:
    row = Activation(
        nonce=nonce,
        sad_checksum=token.checksum,
        kind=Activation.Kind.EXTERNAL,
        issuer=token.issuer,
        client_id=token.client_id,
        subject=token.subject,
        factors=FACTORS,
        credential=credential,
        num_signatures=1,
        epoch=epoch.number,
        expires=datetime.fromtimestamp(ends, UTC),
    )
    slot = ActivatedDigest(activation=row, position=0, hash_type=SIGNABLE_HASH_TYPE, digest=ANY_DIGEST)
    authenticate_activation(row, [slot])
    with transaction.atomic(using=router.db_for_write(Activation), durable=True):
        row.save(force_insert=True)
        slot.save(force_insert=True)
    return row
