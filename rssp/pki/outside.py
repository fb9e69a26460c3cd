"""Certificates that another authority issued: looked at before a credential gets one (RFC 5280, 6)."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime

from asn1crypto import pem
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import PathError, ValidationError

from rssp.errors import WrongCertificateError
from rssp.pki.roca import has_roca_fingerprint

_MOST_CERTIFICATES = 20
# The key signs documents: contentCommitment, or digitalSignature where an authority has no other (EN 319 412-2, 4.3.2).
_FORBIDDEN_USAGES = ("key_cert_sign", "crl_sign", "key_encipherment", "data_encipherment", "key_agreement")


def parse_certificates(data: bytes) -> list[bytes]:
    """DER of each certificate in a file: PEM, one or several, or one as DER. Raises `WrongCertificateError`."""
    try:
        found = [der for _, _, der in pem.unarmor(data, multiple=True)] if pem.detect(data) else [data]
        for der in found:
            x509.load_der_x509_certificate(der)
    except ValueError:
        raise WrongCertificateError("the file holds no certificate, or something beside certificates") from None
    if len(found) > _MOST_CERTIFICATES:
        raise WrongCertificateError("the file holds too many certificates")
    return found


def verify_outside_certificate(
    *,
    der: bytes,
    beside: Sequence[bytes],
    anchors: Sequence[bytes],
    public_key: bytes,
    common_name: str,
    now: datetime,
) -> list[bytes]:
    """The chain (DER, this certificate first, the anchor last), if it ends in one of ``anchors`` at ``now`` and the
    certificate is what was asked for. Raises `WrongCertificateError`, whose text says what is wrong.

    Whether the authority has revoked it is not asked: it was issued a moment ago.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        _verify_content(certificate, public_key, common_name, now)
    except ValueError:
        raise WrongCertificateError("it cannot be read") from None
    return _build_chain(der, beside, anchors, now)


def _verify_content(certificate: x509.Certificate, public_key: bytes, common_name: str, now: datetime) -> None:
    if certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != public_key:
        raise WrongCertificateError("it is for another key")
    names = [item.value for item in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [common_name]:
        raise WrongCertificateError("its common name is not the one that was asked for")
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise WrongCertificateError("it is not valid now")
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        constraints = None
    if constraints is not None and constraints.ca:
        raise WrongCertificateError("it is an authority's certificate")
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        raise WrongCertificateError("it does not say what its key is for") from None
    if not (usage.content_commitment or usage.digital_signature) or any(
        getattr(usage, name) for name in _FORBIDDEN_USAGES
    ):
        raise WrongCertificateError("its key usage is not for signing documents")


def _build_chain(der: bytes, beside: Iterable[bytes], anchors: Iterable[bytes], now: datetime) -> list[bytes]:
    context = ValidationContext(
        trust_roots=[asn1_x509.Certificate.load(item) for item in anchors],
        moment=now,
        allow_fetching=False,
        revocation_mode="soft-fail",
    )
    validator = CertificateValidator(
        asn1_x509.Certificate.load(der),
        intermediate_certs=[asn1_x509.Certificate.load(item) for item in beside],
        validation_context=context,
    )
    try:
        path = asyncio.run(validator.async_validate_path())
    except (PathError, ValidationError, ValueError):
        raise WrongCertificateError("no chain leads from it to the authorities that are trusted here") from None
    chain = [item.dump() for item in path.iter_certs(include_root=True)]
    chain.reverse()
    if any(map(_is_weak, chain)):
        raise WrongCertificateError("an RSA key in its chain has the fingerprint of CVE-2017-15361")
    return chain


def _is_weak(der: bytes) -> bool:
    key = x509.load_der_x509_certificate(der).public_key()
    return isinstance(key, rsa.RSAPublicKey) and has_roca_fingerprint(key.public_numbers().n)
