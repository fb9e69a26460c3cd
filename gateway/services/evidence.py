"""Gathering what shows that certificates are good: issuers, OCSP responses, revocation lists."""

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.utils import timezone

from gateway.clients import sources
from gateway.errors import OutboundError, RevocationDataError
from gateway.pades.levels import Evidence
from gateway.pades.revocation import (
    Question,
    ask_about,
    build_ocsp_request,
    find_issuer,
    issuer_addresses,
    read_certificates,
    read_list,
    read_ocsp_answer,
)

log = logging.getLogger(__name__)

_SECONDS = 40
_MOST_CERTIFICATES = 16


def gather_evidence(*, leaves: Iterable[bytes], known: Iterable[bytes], anchors: Iterable[bytes]) -> Evidence:
    """What there is to say of the chains of ``leaves`` up to an anchor (all DER; ``known`` are other certificates that
    they may need). A responder is asked first, a revocation list fetched where none answers.

    Raises `CertificateRevokedError`; `RevocationDataError` if a certificate says where its status is told, and nobody
    there tells it, or it takes too long.
    """
    gathering = _Gathering(known, anchors)
    for leaf in leaves:
        gathering.follow(x509.load_der_x509_certificate(leaf))
    return gathering.result()


class _Gathering:
    def __init__(self, known: Iterable[bytes], anchors: Iterable[bytes]) -> None:
        self._anchors = [x509.load_der_x509_certificate(der) for der in anchors]
        self._known = [*self._anchors, *(x509.load_der_x509_certificate(der) for der in known)]
        self._until = time.monotonic() + _SECONDS
        self._seen: list[x509.Certificate] = []
        self._ocsps: list[bytes] = []
        self._crls: list[bytes] = []

    def result(self) -> Evidence:
        certificates = tuple(each.public_bytes(Encoding.DER) for each in self._seen)
        return Evidence(certificates, tuple(dict.fromkeys(self._ocsps)), tuple(dict.fromkeys(self._crls)))

    def follow(self, certificate: x509.Certificate) -> None:
        """From a certificate to an anchor; each on the way is asked about once."""
        while certificate not in self._seen:
            if len(self._seen) >= _MOST_CERTIFICATES or time.monotonic() > self._until:
                raise RevocationDataError("Showing that every certificate is good takes too long.")
            self._seen.append(certificate)
            if certificate in self._anchors:
                return
            issuer = find_issuer(certificate, self._known) or self._fetch_issuer(certificate)
            if (question := ask_about(certificate, issuer)) is not None:
                self._ask(question)
            certificate = issuer

    def _fetch_issuer(self, certificate: x509.Certificate) -> x509.Certificate:
        for url in issuer_addresses(certificate):
            with suppress(OutboundError, ValueError):
                self._known += read_certificates(sources.fetch_certificate(url))
            if issuer := find_issuer(certificate, self._known):
                return issuer
        raise RevocationDataError("The issuer of a certificate cannot be found.")

    def _ask(self, question: Question) -> None:
        tries: list[tuple[Callable[[Question, str], None], str]] = [
            *((self._ask_responder, url) for url in question.responders),
            *((self._fetch_list, url) for url in question.lists),
        ]
        why: Exception | None = None
        for attempt, url in tries:
            try:
                return attempt(question, url)
            except (OutboundError, RevocationDataError) as error:
                log.warning("nothing from a source of revocation data: %s", error)
                why = error
        if why is not None:
            raise RevocationDataError(f"{RevocationDataError.sentence} {why}")
        return None

    def _ask_responder(self, question: Question, url: str) -> None:
        answer = sources.ask_responder(url, build_ocsp_request(question))
        responders = read_ocsp_answer(answer, question, now=timezone.now())
        self._ocsps.append(answer)
        self._known += responders
        for responder in responders:
            self.follow(responder)

    def _fetch_list(self, question: Question, url: str) -> None:
        answer = sources.fetch_revocation_list(url)
        read_list(answer, question, now=timezone.now())
        self._crls.append(answer)
