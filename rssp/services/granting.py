"""What an operator decides about seals: which credentials are, and which clients use whose. Every act is audited."""

from django.conf import settings
from django.db import router, transaction

from rssp.models import Credential, SealGrant
from rssp.services.auditing import record_events
from rssp.services.macs import authenticate_credential, authenticate_grant, verify_credential, verify_grant
from rssp.services.operating import Operator, operator_event


def set_seal(*, credential: Credential, is_seal: bool, reason: str, operator: Operator) -> bool:
    """Marks a credential as a seal or no longer as one; whether that changed anything. Raises `TamperingError`."""
    with transaction.atomic(using=router.db_for_write(Credential)):
        row = Credential.objects.select_for_update(of=("self",)).select_related("key").get(pk=credential.pk)
        if row.is_seal == is_seal:
            return False
        verify_credential(row)
        row.is_seal = is_seal
        authenticate_credential(row)
        row.save(update_fields=["is_seal", "mac"])
        done = "marked as a seal" if is_seal else "no longer a seal"
        record_events([operator_event(row.credential_id, f"{done}: {reason}", operator)])
    return True


def grant_seals(*, client_id: str, subject: str, max_signatures: int, operator: Operator) -> SealGrant:
    """Lets a client use this owner's seals, ``max_signatures`` of them in one authorisation at most; again: changes
    that."""
    named = {"client_id": client_id, "issuer": settings.ISSUER, "subject": subject}
    with transaction.atomic(using=router.db_for_write(SealGrant)):
        grant = SealGrant.objects.select_for_update().filter(**named).first() or SealGrant(**named)
        grant.max_signatures, grant.active = max_signatures, True
        authenticate_grant(grant)
        grant.save()
        done = f"{client_id} may seal for {subject}, {max_signatures} signatures at once"
        record_events([operator_event("", done, operator)])
    return grant


def set_grant_active(*, grant: SealGrant, active: bool, reason: str, operator: Operator) -> bool:
    """Takes a grant back, or gives it again; whether that changed anything. Raises `TamperingError`."""
    with transaction.atomic(using=router.db_for_write(SealGrant)):
        row = SealGrant.objects.select_for_update().get(pk=grant.pk)
        if row.active == active:
            return False
        verify_grant(row)
        row.active = active
        authenticate_grant(row)
        row.save(update_fields=["active", "mac"])
        done = f"{row.client_id} {'may again' if active else 'may no longer'} seal for {row.subject}"
        record_events([operator_event("", f"{done}: {reason}", operator)])
    return True
