"""A user's credentials: finding, describing, and whether one may sign now."""

from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.utils import timezone

from rssp.algorithms import KEY_ALGORITHMS, sign_algos
from rssp.clients.introspection import VerifiedToken
from rssp.errors import CertificateNotValidError, CredentialDisabledError, InvalidParameterError, UnknownCredentialError
from rssp.models import Credential, SigningKey
from rssp.models.prepared import Prepared
from rssp.services.authority import certificate_status, read_chain
from rssp.services.languages import current_language
from rssp.services.seals import verify_granted_owner, verify_open_to
from rssp.wire import CredentialDescription, ListRequest

_FIND = Prepared(
    lambda credential_id: Credential.objects.filter(credential_id=credential_id).select_related(
        "certificate", "key__kek"
    ),
    str,
)


def find_credential(*, token: VerifiedToken, credential_id: str) -> Credential:
    """A credential that is open to the caller; a token of one credential opens that one alone. Raises
    `UnknownCredentialError`."""
    found = _FIND.first(credential_id)
    if found is None or not _is_within(token, found):
        raise UnknownCredentialError("there is no such credential for this user")
    verify_open_to(credential=found, token=token)
    return found


def _is_within(token: VerifiedToken, credential: Credential) -> bool:
    """Another provider's token names no credential: it is the owner's for any that was made for such tokens."""
    if "service" in token.scopes:
        return True
    if credential.auth_mode == Credential.AuthMode.EXTERNAL:
        return "credential" in token.scopes
    return _approved_credential(token) == credential.credential_id


def _approved_credential(token: VerifiedToken) -> object:
    try:
        return token.details[0]["credentialID"]
    except (LookupError, TypeError):
        return None


def list_credentials(*, token: VerifiedToken, request: ListRequest) -> tuple[list[Credential], str | None]:
    """The caller's credentials, or the seals of the owner that a client named, oldest first, and the token of the next
    page if there is one."""
    if token.is_client:
        owner = verify_granted_owner(token=token, user_id=request.user_id)
        rows = Credential.objects.filter(issuer=token.issuer, subject=owner, is_seal=True)
    else:
        rows = Credential.objects.filter(issuer=token.issuer, subject=token.subject)
    # Those for one signature are their maker's to know.
    rows = rows.filter(one_time=None).select_related("certificate", "key__kek").order_by("created", "pk")
    found = list(rows)
    if request.page_token is not None:
        positions = [index for index, row in enumerate(found) if row.credential_id == request.page_token]
        if not positions:
            raise InvalidParameterError("pageToken")
        found = found[positions[0] + 1 :]
    if request.only_valid:
        found = [row for row in found if _is_valid(row)]
    page = found[: request.limit]
    return page, page[-1].credential_id if len(page) < len(found) else None


def _is_valid(credential: Credential) -> bool:
    enabled = credential.status == Credential.Status.ENABLED
    return enabled and certificate_status(credential.certificate, timezone.now()) == "valid"


def verify_usable(*, credential: Credential) -> None:
    """Raises `CredentialDisabledError` or `CertificateNotValidError` unless the credential may sign now."""
    if credential.status != Credential.Status.ENABLED or credential.key.state != SigningKey.State.ASSIGNED:
        raise CredentialDisabledError("the credential is disabled")
    status = certificate_status(credential.certificate, timezone.now())
    if status != "valid":
        raise CertificateNotValidError(status, subject=_short_subject(_leaf(credential)))


def describe_credential(*, credential: Credential) -> CredentialDescription:
    """Everything that ``credentials/info`` can tell."""
    chain = read_chain(credential.certificate)
    certificate = x509.load_der_x509_certificate(chain[0])
    key = KEY_ALGORITHMS[credential.key.key_algorithm]
    return CredentialDescription(
        credential_id=credential.credential_id,
        description=credential.description,
        enabled=credential.status == Credential.Status.ENABLED,
        sign_algos=sign_algos(credential.key.key_algorithm),
        bits=key.bits,
        curve_oid=key.curve_oid,
        certificate_status=certificate_status(credential.certificate, timezone.now()),
        certificate_policy=credential.certificate_policy,
        signature_qualifier=settings.SIGNATURE_QUALIFIERS.get(credential.certificate_policy, ""),
        chain=tuple(chain),
        issuer=certificate.issuer.rfc4514_string(),
        subject=certificate.subject.rfc4514_string(),
        serial_number=certificate.serial_number,
        valid_from=certificate.not_valid_before_utc,
        valid_to=certificate.not_valid_after_utc,
        scal=credential.scal,
        auth_mode=credential.csc_auth_mode,
        multisign=credential.multisign,
        language=current_language(),
    )


def read_public_key(*, credential: Credential) -> bytes:
    """The certificate's, as DER SubjectPublicKeyInfo: what everybody will verify signatures with."""
    return _public_key_of(bytes(credential.certificate.der))


@lru_cache(maxsize=1024)
def _public_key_of(certificate: bytes) -> bytes:
    public_key = x509.load_der_x509_certificate(certificate).public_key()
    return public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _leaf(credential: Credential) -> x509.Certificate:
    return x509.load_der_x509_certificate(bytes(credential.certificate.der))


def _short_subject(certificate: x509.Certificate) -> str:
    """``O=…,CN=…`` as far as there are such: what CSC's sentence names an expired certificate by."""
    wanted = ((NameOID.ORGANIZATION_NAME, "O"), (NameOID.COMMON_NAME, "CN"))
    found = [(name, certificate.subject.get_attributes_for_oid(oid)) for oid, name in wanted]
    return ",".join(f"{name}={attributes[0].value!s}" for name, attributes in found if attributes)
