"""A signature qualifier in a credential's place (CSC API v2, 8.4.2): the signer chooses among the credentials that
rssp's operator calls by it, and from then on the approval is one of that credential, as any other.

rssp is asked with a service token of the signer's, which lives no longer than the question. Where certificates are
short-lived the choice makes one, so that the approval names what will sign.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import transaction

from authz.authorization_details import (
    CredentialAuthorization,
    read_authorization_details,
    write_authorization_details,
)
from authz.clients import signing_service
from authz.errors import RequestGoneError, StaleApprovalError
from authz.models import Application, Consent
from authz.services import oauth_clients
from authz.services.consents import bind_consent
from authz.services.grants import create_used_grant, revoke_grant
from authz.services.logins import Login
from authz.services.secrets import create_secret
from authz.services.tokens import issue_under_grant
from authz.wire import OfferedCredential


def read_qualified(*, consent: Consent) -> CredentialAuthorization | None:
    """What is asked for, where its client named a signature qualifier; None for every other request."""
    if consent.kind != Consent.Kind.CREDENTIAL:
        return None
    details = read_authorization_details(consent.details)
    return details if isinstance(details, CredentialAuthorization) and details.signature_qualifier else None


def list_choices(*, consent: Consent, login: Login) -> list[OfferedCredential]:
    """The signer's credentials that could do what is asked, oldest first.

    Raises `RequestGoneError` for somebody else's request, or `SigningServiceUnavailableError`.
    """
    bind_consent(consent=consent, user=login.user)
    with _lend_token(login) as token:
        return _fitting(_qualified(consent), signing_service.list_credentials(token=token))


def choose_credential(*, consent: Consent, login: Login, credential_id: str) -> None:
    """Puts the choice into the request; what was shown for an earlier one is worth nothing from then on.

    Raises `StaleApprovalError` for one that is not (or no longer) to be chosen, `TooManyPreparedError`,
    `SigningServiceUnavailableError`, or `RequestGoneError`; then nothing is changed.
    """
    bind_consent(consent=consent, user=login.user)
    details = _qualified(consent)
    with _lend_token(login) as token:
        offered = _fitting(details, signing_service.list_credentials(token=token))
        chosen = next((item for item in offered if item.credential_id == credential_id), None)
        if chosen is None:
            raise StaleApprovalError("This certificate is not one to choose.")
        if chosen.is_short_lived:
            chosen = signing_service.prepare_credential(token=token, credential_id=credential_id)
    _put(consent, details.with_credential(credential_id=chosen.credential_id, label=chosen.label))


def take_back_choice(*, consent: Consent, login: Login) -> None:
    """So that another one can be chosen. Raises `RequestGoneError`."""
    bind_consent(consent=consent, user=login.user)
    _put(consent, _qualified(consent).with_credential(credential_id="", label=""))


def _qualified(consent: Consent) -> CredentialAuthorization:
    details = read_qualified(consent=consent)
    if details is None:
        raise RequestGoneError("This request leaves nothing to choose.")
    return details


def _fitting(details: CredentialAuthorization, found: list[OfferedCredential]) -> list[OfferedCredential]:
    return [
        item
        for item in found
        if item.signature_qualifier == details.signature_qualifier
        and item.is_usable
        and item.most_signatures >= details.num_signatures
        and (item.hash_algorithm_oids is None or details.hash_algorithm_oid in item.hash_algorithm_oids)
    ]


def _put(consent: Consent, details: CredentialAuthorization) -> None:
    consent.details = write_authorization_details(details)
    waiting = Consent.objects.filter(pk=consent.pk, state=Consent.State.PENDING)
    if not waiting.update(details=consent.details, nonce=None):
        raise RequestGoneError("This request was answered already.")


@contextmanager
def _lend_token(login: Login) -> Iterator[str]:
    """A service token of the signer's for rssp, with the login's own level; dead when the block is left."""
    value = create_secret()
    with transaction.atomic():
        grant = create_used_grant(
            application=_application(),
            user=login.user,
            scope="service",
            resources=[settings.RSSP_RESOURCE],
            auth_time=login.auth_time,
            amr=login.amr,
        )
        issue_under_grant(grant=grant, access_token=value, refresh_token=None, resources=[])
    try:
        yield value
    finally:
        revoke_grant(grant=grant)


def _application() -> Application:
    application: Application | None = Application.objects.filter(client_id=settings.CHOOSING_CLIENT_ID).first()
    # Made at the first start of this role, or here by the first who comes before.
    return application or oauth_clients.follow_choosing()
