"""What the operators' API says of things: snake_case members, times as RFC 3339."""

from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.utils import timezone

from rssp.models import AuditEvent, Certificate, CertificateRequest, Credential, CredentialEnd
from rssp.services.inventory import Counts, find_proposed_end, list_certificates, list_events


def write_credential(row: Credential) -> dict[str, Any]:
    certificate = row.certificate
    return {
        "credential_id": row.credential_id,
        "issuer": row.issuer,
        "subject": row.subject,
        "description": row.description,
        "status": row.status,
        "auth_mode": row.auth_mode,
        "is_seal": row.is_seal,
        "scal": row.scal,
        "certificate_policy": row.certificate_policy,
        "key_algorithm": row.key.key_algorithm,
        "key_state": row.key.state,
        "certificate_status": certificate_status(certificate),
        "serial_number": certificate.serial_number,
        "expires_at": _time(certificate.not_after),
        "created_at": _time(row.created),
    }


def write_whole_credential(row: Credential) -> dict[str, Any]:
    """With its certificates, the latest of its audit, and who proposes to end it."""
    end = find_proposed_end(credential=row)
    return write_credential(row) | {
        "certificates": [_write_certificate(each) for each in list_certificates(credential=row)],
        "events": [_write_event(each) for each in list_events(credential=row)],
        "proposed_end": None if end is None else write_end(end),
    }


def certificate_status(certificate: Certificate) -> str:
    is_over = certificate.status == Certificate.Status.VALID and certificate.not_after <= timezone.now()
    return "expired" if is_over else str(certificate.status)


def write_end(end: CredentialEnd) -> dict[str, Any]:
    return {
        "reason_code": end.code,
        "reason": end.text,
        "proposed_by": end.proposed_by,
        "proposed_at": _time(end.proposed),
    }


def write_request(row: CertificateRequest) -> dict[str, Any]:
    return {
        "number": row.pk,
        "credential_id": row.credential_id,
        "is_renewal": row.renews_id is not None,
        "subject": row.subject,
        "client_id": row.client_id,
        "certificate_policy": row.certificate_policy,
        "key_algorithm": row.kind_of_key,
        "state": row.state,
        "reason": row.reason,
        "attributes": [
            {
                "name": each.name,
                "value": each.value,
                "source": each.source,
                "verifier": each.verifier,
                "evidence": each.evidence,
            }
            for each in row.attributes.all()
        ],
        "decisions": [
            {"operator": each.operator, "verdict": each.verdict, "text": each.text, "decided_at": _time(each.decided)}
            for each in row.decisions.all()
        ],
        "created_at": _time(row.created),
        "expires_at": _time(row.expires),
    }


def write_counts(counts: Counts) -> dict[str, Any]:
    return {
        "credentials": counts.credentials,
        "certificates": counts.certificates,
        "requests": counts.requests,
        "expiring": {str(days): number for days, number in counts.expiring.items()},
        "proposed_ends": counts.proposed,
    }


def _write_certificate(row: Certificate) -> dict[str, Any]:
    pem = x509.load_der_x509_certificate(bytes(row.der)).public_bytes(Encoding.PEM).decode()
    return {
        "serial_number": row.serial_number,
        "subject": row.subject,
        "status": certificate_status(row),
        "revocation_reason": row.revocation_reason,
        "revoked_at": None if row.revoked_at is None else _time(row.revoked_at),
        "not_before": _time(row.not_before),
        "not_after": _time(row.not_after),
        "pem": pem,
    }


def _write_event(row: AuditEvent) -> dict[str, Any]:
    return {
        "happened_at": _time(row.happened),
        "action": row.action,
        "result": row.result,
        "by": row.subject,
        "client_id": row.client_id,
        "reason": row.reason,
        "request_id": row.request_id,
    }


def _time(moment: datetime) -> str:
    return moment.isoformat()
