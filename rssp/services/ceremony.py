"""An authority whose root key lies elsewhere: the root is made and certifies in one installation, which may be off-line
and have a token of its own, and the issuing authority works in another one, which never has the root's key.

Between them go files: a certification request one way, certificates the other way. Each is verified where it arrives.
"""

import hashlib
import secrets
from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.db import router, transaction
from django.utils import timezone

from rssp.algorithms import KEY_ALGORITHMS
from rssp.errors import CeremonyError, CertificateKeyError, CertificateLintError
from rssp.models import Certificate
from rssp.pki.ca import Draft, Issuer, verify_certificate
from rssp.pki.csr import build_csr
from rssp.pki.extensions import Addresses
from rssp.pki.keys import verify_certifiable_key
from rssp.pki.linting import lint_draft
from rssp.pki.profiles import ISSUING, ROOT, Profile
from rssp.services.authority import (
    build_own_name,
    describe_issuer,
    issue_to_request,
    make_root,
    next_generation,
    open_authority_key,
    read_authority,
)
from rssp.services.hsm import get_hsm

_SAME_AS_ROOT = (NameOID.COUNTRY_NAME, NameOID.ORGANIZATION_NAME, NameOID.ORGANIZATION_IDENTIFIER)


def hold_root_ceremony(*, operators: Sequence[str], commands: Sequence[str]) -> tuple[Certificate, str]:
    """The root, made now if this installation has none, and the record of it: a text for the operators to sign.

    Held again it changes nothing and records what there is. Raises `HsmError` or `CertificateLintError`.
    """
    if len([name for name in operators if name.strip()]) < 2:
        raise CeremonyError("a ceremony has two operators at least")
    root, is_new = make_root()
    with open_authority_key(root) as key:
        key.sign(secrets.token_bytes(32), ec.ECDSA(key.hash_algorithm))  # verified: the key is here and is this one
    return root, write_record(root=root, is_new=is_new, operators=operators, commands=commands)


def write_record(*, root: Certificate, is_new: bool, operators: Sequence[str], commands: Sequence[str]) -> str:
    """What was done, by whom, with which token and key. Its last line is the SHA-256 of all lines before it."""
    token = get_hsm().describe_token()
    parsed = x509.load_der_x509_certificate(bytes(root.der))
    key = parsed.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    lines = [
        "ROOT CEREMONY",
        f"date                     {timezone.now():%Y-%m-%dT%H:%M:%SZ}",
        f"outcome                  {'a root was made' if is_new else 'the root was there'}",
        *(f"operator                 {name.strip()}" for name in operators),
        f"token label              {token.label}",
        f"token serial             {token.serial}",
        f"token model              {token.manufacturer} {token.model}",
        f"subject                  {root.subject}",
        f"certificate serial       {root.serial_number}",
        f"valid                    {root.not_before:%Y-%m-%dT%H:%M:%SZ} to {root.not_after:%Y-%m-%dT%H:%M:%SZ}",
        f"key id                   {bytes(root.hsm_key_id or b'').hex()}",
        f"public key SHA-256       {hashlib.sha256(key).hexdigest()}",
        f"certificate SHA-256      {hashlib.sha256(bytes(root.der)).hexdigest()}",
        *(f"command                  {command}" for command in commands),
        *(f"signature of {name.strip()}: ______________________" for name in operators),
    ]
    text = "".join(f"{line}\n" for line in lines)
    return f"{text}SHA-256 of this record   {hashlib.sha256(text.encode()).hexdigest()}\n"


def request_issuing_certificate() -> bytes:
    """A new issuing key in this token and its certification request (PKCS#10, DER), for `sign_issuing_certificate`
    where the root is. Until its certificate is imported the key issues nothing."""
    generation, key_id = next_generation(ISSUING), secrets.token_bytes(16)
    name = build_own_name(ISSUING, generation)
    hsm, algorithm = get_hsm(), str(ISSUING.key_algorithm)
    public_key = hsm.generate_key(key_id=key_id, label="issuing", key_algorithm=algorithm)
    try:
        with hsm.open_key(key_id=key_id) as signer:
            request = build_csr(subject=name, email=None, public_key=public_key, key_algorithm=algorithm, signer=signer)
        now = timezone.now()
        with transaction.atomic(using=router.db_for_write(Certificate), durable=True):
            Certificate.objects.create(
                serial_number=f"request {key_id.hex()}",  # the root gives the real one
                role=ISSUING.role,
                profile=ISSUING.name,
                state=Certificate.State.REQUESTED,
                generation=generation,
                subject=name.rfc4514_string(),
                public_key_sha256=hashlib.sha256(public_key).hexdigest(),
                not_before=now,
                not_after=now,
                hsm_key_id=key_id,
            )
    except Exception:
        hsm.destroy_key(key_id=key_id)
        raise
    return request


def sign_issuing_certificate(*, request: bytes) -> Certificate:
    """Where the root's key is: a certificate for the request of another installation (PKCS#10, DER or PEM).

    Raises `CeremonyError` for a request that is not one of an issuing authority below this root, `CertificateKeyError`,
    `CertificateLintError` or `HsmError`. The same request gets the same certificate again.
    """
    asked = _parse_request(request)
    root = read_authority(role=ROOT.role)
    own = x509.load_der_x509_certificate(bytes(root.der)).subject
    for oid in _SAME_AS_ROOT:
        if _values(asked.subject, oid) != _values(own, oid):
            raise CeremonyError("the request names another organisation than the root")
    if len(_values(asked.subject, NameOID.COMMON_NAME)) != 1 or len(list(asked.subject)) != len(_SAME_AS_ROOT) + 1:
        raise CeremonyError("the request's name is not an issuing authority's")
    if asked.subject == own:
        raise CeremonyError("the request has the root's own name")
    public_key = asked.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    verify_certifiable_key(public_key)
    _verify_algorithm(asked.public_key(), ISSUING)
    again = Certificate.objects.filter(
        role=ISSUING.role,
        state=Certificate.State.ISSUED,
        status=Certificate.Status.VALID,
        issuer=root,
        subject=asked.subject.rfc4514_string(),
        public_key_sha256=hashlib.sha256(public_key).hexdigest(),
    ).first()
    return again or issue_to_request(profile=ISSUING, issuer=root, subject=asked.subject, public_key=public_key)


def import_issuing_certificate(*, root: bytes, certificate: bytes) -> Certificate:
    """Where the issuing key is: the certificate that the root made for it, and the root's own (DER or PEM).

    Verified before anything is kept: signatures and profiles of both, that the key is in this token, and that somebody
    asked for it here. Raises `CeremonyError`, `CertificateLintError` or `HsmError`.
    """
    root_certificate, issuing = _parse_certificate(root), _parse_certificate(certificate)
    known = Certificate.objects.filter(role=ROOT.role, der=root_certificate.public_bytes(Encoding.DER)).first()
    _verify_root(root_certificate)
    key = issuing.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    requested = Certificate.objects.filter(
        role=ISSUING.role,
        state=Certificate.State.REQUESTED,
        public_key_sha256=hashlib.sha256(key).hexdigest(),
    ).first()
    if requested is None:
        raise CeremonyError("no request of this installation is for this certificate's key")
    if issuing.subject.rfc4514_string() != requested.subject:
        raise CeremonyError("the certificate has another name than was asked for")
    with transaction.atomic(using=router.db_for_write(Certificate)):
        issuer = known or _keep_root(root_certificate)
        _verify_as(issuing, ISSUING, describe_issuer(issuer))
        requested.issuer, requested.generation = issuer, next_generation(ISSUING)
        requested.serial_number = f"{issuing.serial_number:x}"
        requested.not_before, requested.not_after = issuing.not_valid_before_utc, issuing.not_valid_after_utc
        requested.der, requested.state = issuing.public_bytes(Encoding.DER), Certificate.State.ISSUED
        _verify_key_is_here(requested)
        requested.save()
    return requested


def _verify_root(certificate: x509.Certificate) -> None:
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    _verify_as(certificate, ROOT, Issuer(certificate.subject, key, ROOT.hash_name or "sha384", Addresses()))


def _verify_as(certificate: x509.Certificate, profile: Profile, issuer: Issuer) -> None:
    """Signature, every extension and the time; and the linter, as if we were to issue it."""
    now = timezone.now()
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise CeremonyError(f"the {profile.name} certificate is not valid now")
    verify_certifiable_key(certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    _verify_algorithm(certificate.public_key(), profile)
    draft = Draft(
        profile=profile,
        serial_number=certificate.serial_number,
        subject=certificate.subject,
        email=None,
        public_key=certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )
    try:
        verify_certificate(der=certificate.public_bytes(Encoding.DER), draft=draft, issuer=issuer)
    except (x509.ExtensionNotFound, ValueError) as error:
        raise CertificateLintError(f"the {profile.name} certificate lacks what its profile has") from error
    lint_draft(draft=draft, issuer=issuer, in_development=settings.DEVELOPMENT)


def _verify_key_is_here(certificate: Certificate) -> None:
    challenge = secrets.token_bytes(32)
    with open_authority_key(certificate) as key:
        signature = key.sign(challenge, ec.ECDSA(key.hash_algorithm))
    try:
        key.public_key().verify(signature, challenge, ec.ECDSA(key.hash_algorithm))
    except InvalidSignature:
        raise CeremonyError("the certificate is for another key than the token's") from None


def _keep_root(certificate: x509.Certificate) -> Certificate:
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Certificate.objects.create(
        serial_number=f"{certificate.serial_number:x}",
        role=ROOT.role,
        profile=ROOT.name,
        state=Certificate.State.ISSUED,
        generation=next_generation(ROOT),
        subject=certificate.subject.rfc4514_string(),
        public_key_sha256=hashlib.sha256(key).hexdigest(),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        der=certificate.public_bytes(Encoding.DER),
    )


def _parse_request(data: bytes) -> x509.CertificateSigningRequest:
    try:
        load = x509.load_pem_x509_csr if data.lstrip().startswith(b"-----") else x509.load_der_x509_csr
        request = load(data)
        is_proven = request.is_signature_valid
    except Exception as error:  # a stranger's file: whatever cannot be read is none
        raise CeremonyError("the file is no certification request") from error
    if not is_proven:
        raise CeremonyError("the request is not signed by its own key")
    return request


def _parse_certificate(data: bytes) -> x509.Certificate:
    try:
        if data.lstrip().startswith(b"-----"):
            return x509.load_pem_x509_certificate(data)
        return x509.load_der_x509_certificate(data)
    except ValueError as error:
        raise CeremonyError("the file is no certificate") from error


def _verify_algorithm(key: object, profile: Profile) -> None:
    bits = KEY_ALGORITHMS[str(profile.key_algorithm)].bits
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.key_size != bits:
        raise CertificateKeyError(f"the {profile.name} authority's key is {profile.key_algorithm}")


def _values(name: x509.Name, oid: x509.ObjectIdentifier) -> list[str | bytes]:
    return [attribute.value for attribute in name.get_attributes_for_oid(oid)]
