"""The end of a credential, by operators or by its owner: its key destroyed, for good, and its certificate revoked.

Where ``FOUR_EYES`` holds ``lifecycle``, one operator proposes and another one confirms. What is recorded comes before
what cannot be undone: the credential is ended and its certificate revoked in one transaction, then the key goes; if the
token cannot be reached, `destroy_keys_of_ended` comes back to it.
"""

import logging

from django.conf import settings
from django.db import DatabaseError, router, transaction
from django.utils import timezone

from rssp.errors import CredentialEndedError, EvidenceMissingError, HsmError, OwnRequestError, SecondOperatorError
from rssp.models import AuditEvent, Credential, CredentialEnd, PasskeyBinding, SigningKey
from rssp.services.auditing import record_events
from rssp.services.keys import destroy_key
from rssp.services.macs import authenticate_binding
from rssp.services.operating import Operator, operator_event
from rssp.services.revoking import revoke_certificate, withdraw_approvals

log = logging.getLogger(__name__)

_SHORTEST_TEXT, _LONGEST_TEXT = 3, 200


def end_credential(*, credential: Credential, code: str, text: str, operator: Operator) -> CredentialEnd:
    """Ends a credential or, where two operators are needed, proposes it or confirms what another one proposed: the
    answer is ``confirmed`` when it is done. ``code`` is one of `CredentialEnd.Code`; a confirmation keeps the first
    operator's.

    Raises `CredentialEndedError`, `SecondOperatorError`, `OwnRequestError` or `EvidenceMissingError`; then nothing has
    changed.
    """
    reason = text.strip()
    if not _SHORTEST_TEXT <= len(reason) <= _LONGEST_TEXT or code not in CredentialEnd.Code.values:
        raise EvidenceMissingError("text, code")
    with transaction.atomic(using=router.db_for_write(Credential)):
        held = _lock(credential, operator)
        end, is_new = CredentialEnd.objects.get_or_create(
            credential=held,
            withdrawn=None,
            defaults={
                "code": code,
                "text": reason,
                "proposed_by": operator.name[:255],
                "proposed_by_subject": operator.subject[:255],
            },
        )
        if needs_two():
            if not is_new and operator.is_same(name=end.proposed_by, subject=end.proposed_by_subject):
                raise SecondOperatorError("this operator proposed it")
            if is_new:
                record_events([_event(held, f"end proposed ({code}): {reason}", operator)])
                return end
        _end(held, end, reason, operator)
    _destroy(held)
    return end


def withdraw_end(*, credential: Credential, text: str, operator: Operator) -> bool:
    """Takes a proposal back that nobody confirmed, by any operator; whether there was one."""
    with transaction.atomic(using=router.db_for_write(Credential)):
        waiting = CredentialEnd.objects.filter(credential=credential, confirmed=None, withdrawn=None)
        if not waiting.update(withdrawn=timezone.now()):
            return False
        record_events([_event(credential, f"proposed end withdrawn: {text.strip()}", operator)])
    return True


def needs_two() -> bool:
    return "lifecycle" in settings.FOUR_EYES


def destroy_keys_of_ended() -> int:
    """Keys that outlived their credentials because the token could not be reached; how many are gone now."""
    left = Credential.objects.filter(status=Credential.Status.ENDED, key__state=SigningKey.State.ASSIGNED)
    return sum(_destroy(credential) for credential in left.select_related("key")[:20])


def _lock(credential: Credential, operator: Operator) -> Credential:
    rows = Credential.objects.select_for_update(of=("self",)).select_related("certificate", "key")
    held = rows.get(pk=credential.pk)
    if held.status == Credential.Status.ENDED:
        raise CredentialEndedError("the credential is ended already")
    if operator.subject and operator.subject == held.subject:
        raise OwnRequestError("nobody ends their own credential as an operator")
    return held


def end_own_credential(*, credential: Credential, revocation_reason: str) -> None:
    """The end that its owner approved, in the caller's transaction, which records the approval. ``revocation_reason``
    is one of `Certificate.Reason`; without one the certificate stays good for what was signed with it.

    Raises `CredentialEndedError`. The key goes with `destroy_keys_of_ended`, once the transaction is over.
    """
    held = Credential.objects.select_for_update(of=("self",)).select_related("certificate").get(pk=credential.pk)
    if held.status == Credential.Status.ENDED:
        raise CredentialEndedError("the credential is ended already")
    CredentialEnd.objects.filter(credential=held, confirmed=None, withdrawn=None).update(withdrawn=timezone.now())
    _close(held)
    if revocation_reason:
        revoke_certificate(certificate=held.certificate, reason=revocation_reason)
    else:
        withdraw_approvals(certificate=held.certificate)


def _end(held: Credential, end: CredentialEnd, reason: str, operator: Operator) -> None:
    CredentialEnd.objects.filter(pk=end.pk).update(confirmed_by=operator.name[:255], confirmed=timezone.now())
    _close(held)
    revoke_certificate(certificate=held.certificate, reason=end.code)
    record_events([_event(held, f"ended ({end.code}): {reason}", operator)])
    end.refresh_from_db()


def _close(held: Credential) -> None:
    now = timezone.now()
    Credential.objects.filter(pk=held.pk).update(status=Credential.Status.ENDED)
    for binding in PasskeyBinding.objects.filter(credential=held, unbound=None).select_related("credential"):
        binding.unbound = now
        authenticate_binding(binding)
        binding.save(update_fields=["unbound", "mac"])


def _destroy(credential: Credential) -> bool:
    try:
        destroy_key(key=credential.key)
    except (HsmError, DatabaseError):
        log.error("the key of the ended credential %s was not destroyed yet", credential.credential_id)
        return False
    return True


def _event(credential: Credential, reason: str, operator: Operator) -> AuditEvent:
    return operator_event(credential.credential_id, f"credential {reason}", operator)
