"""What has to be asked to show later that certificates were good today: a pure reading of certificates.

Answers are checked for what was asked and when it is in force; whether their signatures verify, and lead where they
must, is judged with the whole document (`evidence`), in the child process.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtensionOID

from gateway.errors import CertificateRevokedError, RevocationDataError

_VALIDITY_ASSURED = x509.ObjectIdentifier("0.4.0.194121.2.1")  # EN 319 412-1, 5.2
_NO_REVOCATION_AVAILABLE = x509.ObjectIdentifier("2.5.29.56")  # RFC 9608


@dataclass(frozen=True)
class Question:
    """One certificate, its issuer, and the addresses that tell of it, in the certificate's order."""

    certificate: x509.Certificate
    issuer: x509.Certificate
    responders: tuple[str, ...]
    lists: tuple[str, ...]


def find_issuer(certificate: x509.Certificate, known: Iterable[x509.Certificate]) -> x509.Certificate | None:
    """The one among ``known`` whose key signed ``certificate``."""
    for candidate in known:
        if candidate.subject != certificate.issuer:
            continue
        try:
            certificate.verify_directly_issued_by(candidate)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return candidate
    return None


def ask_about(certificate: x509.Certificate, issuer: x509.Certificate) -> Question | None:
    """None if nothing is ever published about it, or nothing needs to be and nothing is."""
    if _has(certificate, ExtensionOID.OCSP_NO_CHECK, _NO_REVOCATION_AVAILABLE):
        return None
    responders = tuple(_access(certificate, AuthorityInformationAccessOID.OCSP))
    lists = tuple(_distribution_points(certificate))
    if not (responders or lists) and is_never_revoked(certificate):
        return None
    return Question(certificate, issuer, responders, lists)


def is_never_revoked(certificate: x509.Certificate) -> bool:
    """Whether the certificate says that it need not be asked about: for a responder's, or short-lived. Somebody may
    answer all the same (EN 319 412-1, 5.2), and then a verifier who knows the mark not is content too."""
    return _has(certificate, ExtensionOID.OCSP_NO_CHECK, _VALIDITY_ASSURED, _NO_REVOCATION_AVAILABLE)


def _has(certificate: x509.Certificate, *oids: x509.ObjectIdentifier) -> bool:
    return any(extension.oid in oids for extension in certificate.extensions)


def issuer_addresses(certificate: x509.Certificate) -> list[str]:
    """Where the issuer's certificate is published (RFC 5280, 4.2.2.1)."""
    return _access(certificate, AuthorityInformationAccessOID.CA_ISSUERS)


def _access(certificate: x509.Certificate, method: x509.ObjectIdentifier) -> list[str]:
    try:
        described = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return []
    return [
        each.access_location.value
        for each in described
        if each.access_method == method and isinstance(each.access_location, x509.UniformResourceIdentifier)
    ]


def _distribution_points(certificate: x509.Certificate) -> Iterable[str]:
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return
    for point in points:
        for name in point.full_name or ():
            if isinstance(name, x509.UniformResourceIdentifier):
                yield name.value


def read_certificates(answer: bytes) -> list[x509.Certificate]:
    """What an issuer's address answered: one DER certificate, or several in a PKCS #7 file. Raises `ValueError`."""
    try:
        return [x509.load_der_x509_certificate(answer)]
    except ValueError:
        return pkcs7.load_der_pkcs7_certificates(answer)


def build_ocsp_request(question: Question) -> bytes:
    """RFC 6960, 4.1, without a nonce: an answer that is kept and in force is as good."""
    # Responders know issuers by SHA-1 (RFC 5019, 2.1.1); it names here, and protects nothing.
    builder = ocsp.OCSPRequestBuilder().add_certificate(question.certificate, question.issuer, SHA1())  # noqa: S303
    return builder.build().public_bytes(Encoding.DER)


def read_ocsp_answer(answer: bytes, question: Question, *, now: datetime) -> list[x509.Certificate]:
    """The certificates that came with a response that calls the certificate good, in force now.

    Raises `CertificateRevokedError`; `RevocationDataError` for any other answer.
    """
    try:
        response = ocsp.load_der_ocsp_response(answer)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise RevocationDataError("The responder refused.")
        single = next(
            (each for each in response.responses if each.serial_number == question.certificate.serial_number), None
        )
        if single is None:
            raise RevocationDataError("The responder spoke of another certificate.")
        if single.certificate_status is ocsp.OCSPCertStatus.REVOKED:
            raise CertificateRevokedError
        if single.certificate_status is not ocsp.OCSPCertStatus.GOOD:
            raise RevocationDataError("The responder does not know the certificate.")
        if single.next_update_utc is not None and single.next_update_utc <= now:
            raise RevocationDataError("The responder's answer is no longer in force.")
        return response.certificates
    except ValueError:
        raise RevocationDataError("The responder's answer cannot be read.") from None


def read_list(answer: bytes, question: Question, *, now: datetime) -> None:
    """Raises `CertificateRevokedError` if the list names the certificate; `RevocationDataError` unless it is the
    issuer's, in force now."""
    try:
        found = x509.load_der_x509_crl(answer)
        if found.issuer != question.issuer.subject:
            raise RevocationDataError("The revocation list is another issuer's.")
        if found.next_update_utc is None or found.next_update_utc <= now:
            raise RevocationDataError("The revocation list is no longer in force.")
        if found.get_revoked_certificate_by_serial_number(question.certificate.serial_number) is not None:
            raise CertificateRevokedError
    except ValueError:
        raise RevocationDataError("The revocation list cannot be read.") from None
