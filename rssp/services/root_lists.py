"""The revocation list of a root whose key is elsewhere: signed there, brought here as a file, published here.

>>> made = sign_root_list()                    # in the safe
>>> import_root_list(encoded=bytes(read_content(made).der))   # in the service
"""

import hashlib
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from django.db import router, transaction
from django.utils import timezone

from rssp.errors import CeremonyError
from rssp.models import Certificate, RevocationList, RevocationScope
from rssp.pki.crl import REASON_CODES
from rssp.pki.profiles import ROOT
from rssp.services.authority import list_authority, read_authority
from rssp.services.revocation_lists import read_revocation_list
from rssp.services.revoking import revoke_certificate

_REASONS = {code: reason for reason, code in REASON_CODES.items() if reason}


def sign_root_list() -> RevocationList:
    """Where the root's key is: its list in force, made now unless one is fresh; ``CRL_LIFETIME`` is how long it holds.
    Raises `AuthorityMissingError` or `RevocationListUnavailableError`."""
    return read_revocation_list(issuer=read_authority(role=ROOT.role), partition=0)


def import_root_list(*, encoded: bytes) -> RevocationList:
    """Published from now on, and what is on it is revoked here too. DER or PEM.

    Raises `CeremonyError` for what is no list of a root of ours, not in force, or not newer than what is published.
    """
    parsed = _parse(encoded)
    root = _find_root(parsed)
    number, next_update = _verify(parsed)
    der = parsed.public_bytes(Encoding.DER)
    with transaction.atomic(using=router.db_for_write(RevocationList), durable=True):
        scope, _ = RevocationScope.objects.get_or_create(issuer=root, partition=0)
        scope = RevocationScope.objects.select_for_update().get(pk=scope.pk)
        lists = RevocationList.objects.filter(scope=scope)
        if lists.filter(number__gte=number).exists():
            raise CeremonyError("a list with this number or a later one is published already")
        _revoke_listed(parsed, root)
        scope.refresh_from_db()
        RevocationScope.objects.filter(pk=scope.pk).update(number=max(scope.number, number))
        lists.exclude(der=b"").update(der=b"")
        return RevocationList.objects.create(
            scope=scope,
            number=number,
            changes=scope.changes,
            this_update=parsed.last_update_utc,
            next_update=next_update,
            entries=len(parsed),
            sha256=hashlib.sha256(der).hexdigest(),
            der=der,
        )


def _parse(encoded: bytes) -> x509.CertificateRevocationList:
    try:
        if encoded.lstrip().startswith(b"-----"):
            return x509.load_pem_x509_crl(encoded)
        return x509.load_der_x509_crl(encoded)
    except ValueError as error:
        raise CeremonyError("the file is no revocation list") from error


def _find_root(parsed: x509.CertificateRevocationList) -> Certificate:
    for root in list_authority(role=ROOT.role):
        certificate = x509.load_der_x509_certificate(bytes(root.der))
        key = certificate.public_key()
        is_ours = certificate.subject == parsed.issuer and isinstance(key, ec.EllipticCurvePublicKey)
        if is_ours and parsed.is_signature_valid(key):  # type: ignore[arg-type]  # it is one: is_ours
            if root.hsm_key_id is not None:
                raise CeremonyError("the root's key is here, and makes its lists here")
            return root
    raise CeremonyError("the list is signed by no root of ours")


def _verify(parsed: x509.CertificateRevocationList) -> tuple[int, datetime]:
    """The list's number, and until when it is in force."""
    now = timezone.now()
    if parsed.next_update_utc is None or not parsed.last_update_utc <= now < parsed.next_update_utc:
        raise CeremonyError("the list is not in force")
    try:
        number = parsed.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        point = parsed.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    except (x509.ExtensionNotFound, ValueError) as error:
        raise CeremonyError("the list lacks its number or its scope") from error
    if not point.only_contains_ca_certs or point.full_name is not None or point.indirect_crl:
        raise CeremonyError("the list is not about all authorities below the root")
    return number, parsed.next_update_utc


def _revoke_listed(parsed: x509.CertificateRevocationList, root: Certificate) -> None:
    for entry in parsed:
        found = Certificate.objects.filter(issuer=root, serial_number=f"{entry.serial_number:x}").first()
        if found is not None:
            revoke_certificate(certificate=found, reason=_reason(entry))


def _reason(entry: x509.RevokedCertificate) -> str:
    try:
        told = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.name
    except x509.ExtensionNotFound:
        return Certificate.Reason.UNSPECIFIED
    known = told in _REASONS.values() and told != Certificate.Reason.CERTIFICATE_HOLD
    return told if known else Certificate.Reason.UNSPECIFIED
