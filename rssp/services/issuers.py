"""Who issues: this service's own authority, an outside one over its protocol, or an outside one by hand.

Each is a function from an approved request and its subject to an issued `Certificate`, in one table. All raise children
of `AuthorityError` or `HsmError`; `IssuerRefusedError` and `WrongCertificateError` are final, everything else may be
tried again.
"""

import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from rssp.clients.cmp import post_message
from rssp.errors import IssuerUnavailableError
from rssp.models import Certificate, CertificateRequest
from rssp.pki.cmp import CmpTransaction
from rssp.pki.cmp_protection import Protection, SharedSecret, read_signatures
from rssp.pki.csr import build_csr
from rssp.pki.subjects import Subject, build_subject
from rssp.services.authority import issue_certificate
from rssp.services.keys import open_key
from rssp.services.outside import keep_certificate, verify_certificate

BUILT_IN, CMP, BY_HAND = "built-in", "cmp", "by-hand"

Issue = Callable[[CertificateRequest, Subject], Certificate]


def issuer_of(*, certificate_policy: str) -> str:
    """The name of the issuer that the settings choose for a policy."""
    return str(settings.CERTIFICATE_ISSUERS.get(certificate_policy, BUILT_IN))


def issue(*, request: CertificateRequest, subject: Subject) -> Certificate:
    """The certificate for an approved request, by its policy's issuer."""
    return ISSUERS[issuer_of(certificate_policy=request.certificate_policy)](request, subject)


def sign_certification_request(*, request: CertificateRequest, subject: Subject) -> bytes:
    """The PKCS#10 (DER) for an outside authority: signed by the request's key once, and kept. Raises `HsmError`."""
    if not request.certification_request:
        key = request.own_key
        with open_key(key=key) as signer:
            request.certification_request = build_csr(
                subject=build_subject(subject),
                email=subject.email,
                public_key=bytes(key.public_key),
                key_algorithm=key.key_algorithm,
                signer=signer,
            )
        request.save(update_fields=["certification_request"])
    return bytes(request.certification_request)


def renewed_certificate(*, request: CertificateRequest) -> Certificate | None:
    """The certificate that a new one for the same key takes the place of."""
    renews = request.renews
    return renews.certificate if renews is not None and renews.key_id == request.key_id else None


def _issue_built_in(request: CertificateRequest, subject: Subject) -> Certificate:
    return issue_certificate(
        certificate_policy=request.certificate_policy,
        subject=subject,
        public_key=bytes(request.own_key.public_key),
        renews=renewed_certificate(request=request),
    )


def _issue_by_cmp(request: CertificateRequest, subject: Subject) -> Certificate:
    wanted = sign_certification_request(request=request, subject=subject)
    chains: list[list[bytes]] = []
    open_transaction().request_certificate(
        request=wanted,
        accept=lambda der, beside: chains.append(
            verify_certificate(
                der=der,
                beside=beside,
                public_key=bytes(request.own_key.public_key),
                common_name=subject.common_name,
            )
        ),
    )
    return keep_certificate(
        chain=chains[0],
        certificate_policy=request.certificate_policy,
        renews=renewed_certificate(request=request),
    )


def open_transaction() -> CmpTransaction:
    """With the authority that is asked by CMP. Raises `IssuerUnavailableError` where our key or a certificate cannot be
    read."""
    protection: Protection = SharedSecret(settings.CMP_SECRET.encode(), settings.CMP_REFERENCE.encode())
    if settings.CMP_KEY_FILE:
        names = (settings.CMP_KEY_FILE, settings.CMP_CERTIFICATE_FILE, settings.CMP_SERVER_CERTIFICATE_FILE)
        try:
            key, chain, authority = (Path(name).read_bytes() for name in names)
        except OSError as error:
            raise IssuerUnavailableError(f"a file for CMP cannot be read: {error.filename}") from None
        protection = read_signatures(key=key, chain=chain, authority=authority)
    return CmpTransaction(protection=protection, send=post_message, wait=time.sleep)


def _issue_by_hand(request: CertificateRequest, subject: Subject) -> Certificate:
    """Nothing goes out by itself: the request is made ready, and an operator carries it."""
    sign_certification_request(request=request, subject=subject)
    raise IssuerUnavailableError("an operator exports the request and imports the certificate")


ISSUERS: dict[str, Issue] = {BUILT_IN: _issue_built_in, CMP: _issue_by_cmp, BY_HAND: _issue_by_hand}


def needs_token(*, request: CertificateRequest) -> bool:
    """Whether issuing opens the HSM, which background workers never do."""
    issuer = issuer_of(certificate_policy=request.certificate_policy)
    return issuer == BUILT_IN or not request.certification_request
