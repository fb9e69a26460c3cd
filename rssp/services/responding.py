"""The OCSP responder (RFC 6960; RFC 5019's pre-produced answers; RFC 9654's nonces).

An answer about one certificate without a nonce is signed once and kept in the database, for all processes, as long as
it is fresh and the certificate's status is the one it tells. Every other answer costs a signature of the responder's
key, which strangers get in limited number.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from rssp.errors import (
    AuthorityMissingError,
    HsmError,
    StatusTryLaterError,
    TooManyRequestsError,
    UnauthorizedStatusRequestError,
)
from rssp.models import Certificate, StatusAnswer
from rssp.pki.ocsp import CertificateId, IssuerHashes, SingleStatus, StatusRequest, build_answer, parse_request
from rssp.services.authority import open_authority_key, prepare_service_certificate
from rssp.services.limiting import Limit, network_of

log = logging.getLogger(__name__)

_LONGEST_SERIAL_BITS = 160  # RFC 5280, 4.1.2.2
_limit = Limit()
_EVERYBODY = "everybody"


@dataclass(frozen=True)
class Answer:
    """OCSPResponse, DER. ``is_shared`` says that it is nobody's own: the same request gets it until then."""

    der: bytes
    this_update: datetime
    next_update: datetime
    is_shared: bool


def answer_request(*, encoded: bytes, address: str) -> Answer:
    """What the request gets; ``address`` is who pays for a signature.

    Raises `MalformedStatusRequestError`, `UnauthorizedStatusRequestError` or `StatusTryLaterError`.
    """
    request = parse_request(encoded)
    if request.nonce is None:
        return _find_kept(request) or _sign(request, address)
    try:
        return _sign(request, address)
    except StatusTryLaterError:
        # A nonce may be ignored (RFC 5019, 4): better an answer that others got than none.
        kept = _find_kept(request)
        if kept is None:
            raise
        return kept


def clear_answers() -> int:
    """Removes kept answers that nobody will get any more."""
    return StatusAnswer.objects.filter(next_update__lte=timezone.now()).delete()[0]


def _find_issuer(request: StatusRequest) -> Certificate:
    """The issuing authority of the first certificate that one of ours issued. An answer is under the delegation of one
    authority; what another one issued is unknown in it. An authority that has ended delegates nobody any more."""
    issued = Certificate.objects.filter(role=Certificate.Role.ISSUING, state=Certificate.State.ISSUED)
    authorities = list(issued.filter(not_after__gt=timezone.now()))
    for certificate_id in request.certificates:
        for authority in authorities:
            if certificate_id.is_issued_by(_hashes_of(bytes(authority.der))):
                return authority
    raise UnauthorizedStatusRequestError("no authority of ours issued any of these")


_hashes_of = lru_cache(maxsize=64)(IssuerHashes)


def _find_kept(request: StatusRequest) -> Answer | None:
    if len(request.certificates) > 1:
        return None
    fresh = StatusAnswer.objects.filter(
        asked=_name_of(request.certificates[0]),
        certificate__status_version=F("status_version"),
        this_update__gt=timezone.now() - settings.OCSP_LIFETIME / 2,
    )
    kept = fresh.values_list("der", "this_update", "next_update").first()
    return kept and Answer(bytes(kept[0]), *kept[1:], is_shared=True)


def _name_of(certificate_id: CertificateId) -> str:
    return sha256(certificate_id.encode()).hexdigest()


def _sign(request: StatusRequest, address: str) -> Answer:
    issuer = _find_issuer(request)
    _count_signature(address)
    this_update = timezone.now().replace(microsecond=0)
    next_update = this_update + settings.OCSP_LIFETIME
    found = [_find_certificate(certificate_id, issuer) for certificate_id in request.certificates]
    pairs = zip(request.certificates, found, strict=True)
    try:
        responder = prepare_service_certificate(role="ocsp", issuer=issuer)
        with open_authority_key(responder) as key:
            der = build_answer(
                statuses=[_tell(certificate_id, row, issuer) for certificate_id, row in pairs],
                nonce=request.nonce,
                responder=bytes(responder.der),
                key=key,
                this_update=this_update,
                next_update=next_update,
            )
    except (HsmError, AuthorityMissingError) as error:
        log.warning("no OCSP answer (%s: %s)", type(error).__name__, error)
        raise StatusTryLaterError("the responder cannot sign now") from error
    if request.nonce is not None or len(found) > 1 or found[0] is None:
        return Answer(der, this_update, next_update, is_shared=False)
    return _keep(found[0], request.certificates[0], Answer(der, this_update, next_update, is_shared=True))


def _count_signature(address: str) -> None:
    own, all_together = settings.OCSP_SIGNATURES_PER_ADDRESS, settings.OCSP_SIGNATURES
    try:
        _limit.take({network_of(address): own, _EVERYBODY: all_together})
    except TooManyRequestsError as error:
        raise StatusTryLaterError("the limit of signed answers is reached") from error


def _find_certificate(certificate_id: CertificateId, issuer: Certificate) -> Certificate | None:
    """None is unknown: a serial number that was never used, or whose certificate perhaps was not signed (it is listed
    once it is revoked), or another authority's."""
    is_possible = 0 < certificate_id.serial_number.bit_length() <= _LONGEST_SERIAL_BITS
    if not is_possible or not certificate_id.is_issued_by(_hashes_of(bytes(issuer.der))):
        return None
    rows = Certificate.objects.filter(issuer=issuer, serial_number=f"{certificate_id.serial_number:x}")
    certificate = rows.defer("der").first()
    if certificate is None or (_is_good(certificate) and certificate.state != Certificate.State.ISSUED):
        return None
    return certificate


def _is_good(certificate: Certificate) -> bool:
    return certificate.status == Certificate.Status.VALID


def _tell(certificate_id: CertificateId, certificate: Certificate | None, issuer: Certificate) -> SingleStatus:
    """What has expired keeps its status, for as long as its issuer has been there (archive cutoff)."""
    if certificate is None:
        return SingleStatus(certificate_id, "unknown")
    if _is_good(certificate):
        return SingleStatus(certificate_id, "good", archive_cutoff=issuer.not_before)
    revoked_at = certificate.revoked_at or certificate.not_before
    reason = certificate.revocation_reason
    return SingleStatus(certificate_id, "revoked", revoked_at, reason, archive_cutoff=issuer.not_before)


def _keep(certificate: Certificate, certificate_id: CertificateId, answer: Answer) -> Answer:
    row = StatusAnswer(
        asked=_name_of(certificate_id),
        certificate=certificate,
        status_version=certificate.status_version,
        this_update=answer.this_update,
        next_update=answer.next_update,
        der=answer.der,
    )
    StatusAnswer.objects.bulk_create(
        [row],
        update_conflicts=True,
        unique_fields=["asked"],
        update_fields=["certificate", "status_version", "this_update", "next_update", "der"],
    )
    return answer
