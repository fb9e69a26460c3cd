"""The end of a short-lived credential by operators: proposed by one, and confirmed by another where `FOUR_EYES` holds
``lifecycle``, as with every credential (`rssp.services.lifecycle`)."""

from django.db import router, transaction
from django.utils import timezone

from rssp.errors import EvidenceMissingError, OwnRequestError, RequestClosedError, SecondOperatorError
from rssp.models import AuditEvent, CertificateRequest, StandingEnd
from rssp.services.auditing import Origin, record_events
from rssp.services.lifecycle import destroy_keys_of_ended, needs_two
from rssp.services.one_time import withdraw_standing
from rssp.services.operating import Operator, operator_event

_SHORTEST_TEXT, _LONGEST_TEXT = 3, 200


def end_standing(*, request: CertificateRequest, text: str, operator: Operator) -> StandingEnd:
    """Ends what stands or, where two operators are needed, proposes it or confirms what another one proposed: the
    answer is ``confirmed`` when it is done. The owner reads the first one's words.

    Raises `EvidenceMissingError`, `OwnRequestError`, `SecondOperatorError` or `RequestClosedError` (it does not stand);
    then nothing has changed.
    """
    reason = text.strip()
    if not _SHORTEST_TEXT <= len(reason) <= _LONGEST_TEXT:
        raise EvidenceMissingError("text")
    with transaction.atomic(using=router.db_for_write(CertificateRequest)):
        held = _lock(request, operator)
        end, is_new = StandingEnd.objects.get_or_create(
            request=held,
            withdrawn=None,
            defaults={
                "text": reason,
                "proposed_by": operator.name[:255],
                "proposed_by_subject": operator.subject[:255],
            },
        )
        if needs_two():
            if not is_new and operator.is_same(name=end.proposed_by, subject=end.proposed_by_subject):
                raise SecondOperatorError("this operator proposed it")
            if is_new:
                record_events([_event(held, f"end proposed: {reason}", operator)])
                return end
        StandingEnd.objects.filter(pk=end.pk).update(confirmed_by=operator.name[:255], confirmed=timezone.now())
        withdraw_standing(request=held, reason=end.text, origin=Origin(operator.request_id, operator.address))
        record_events([_event(held, f"ended: {reason}", operator)])
    destroy_keys_of_ended()
    end.refresh_from_db()
    return end


def withdraw_standing_end(*, request: CertificateRequest, text: str, operator: Operator) -> bool:
    """Takes a proposal back that nobody confirmed, by any operator; whether there was one. Raises
    `EvidenceMissingError`."""
    if len(text.strip()) < _SHORTEST_TEXT:
        raise EvidenceMissingError("text")
    with transaction.atomic(using=router.db_for_write(CertificateRequest)):
        waiting = StandingEnd.objects.filter(request=request, confirmed=None, withdrawn=None)
        if not waiting.update(withdrawn=timezone.now()):
            return False
        record_events([_event(request, f"proposed end withdrawn: {text.strip()[:_LONGEST_TEXT]}", operator)])
    return True


def _lock(request: CertificateRequest, operator: Operator) -> CertificateRequest:
    held = CertificateRequest.objects.select_for_update(of=("self",)).get(pk=request.pk)
    if held.state != CertificateRequest.State.STANDING:
        raise RequestClosedError("it does not stand")
    if operator.subject and operator.subject == held.subject:
        raise OwnRequestError("nobody ends their own credential as an operator")
    return held


def _event(request: CertificateRequest, reason: str, operator: Operator) -> AuditEvent:
    return operator_event(request.credential_id, f"short-lived credential {reason}", operator)
