"""Registered clients: this installation's own, which follow the settings, and foreign ones."""

from django.conf import settings
from django.db import IntegrityError, transaction

from authz.errors import InvalidClientError, InvalidRequestError
from authz.models import Application, Authentication
from authz.models.oauth import is_loopback
from authz.models.prepared import Prepared
from authz.services.secrets import create_secret, is_client_secret, seal_client_secret

FOREIGN_SCOPES = "service credential credential-creation credential-deletion passkey-binding"
# Of rssp's operators' API: no client has it unless an operator gives it to this one.
OPERATOR_SCOPE = "operator"
MIN_SECRET = 32
_FIND_SECRET: Prepared[Application] = Prepared(
    lambda client_id: Application.objects.filter(
        client_id=client_id,
        client_type=Application.CLIENT_CONFIDENTIAL,
        authentication=Authentication.SECRET,
        # Whatever else its record says, the profile knows no secret that two share.
        fapi_profile=False,
    ),
    str,
)


def _follow(client_id: str, secret: str | None, **fields: object) -> Application:
    """Without a secret nobody can be this client: none fits an empty one."""
    if secret is not None and len(secret) < MIN_SECRET:
        raise InvalidRequestError(f"The secret of {client_id} is shorter than {MIN_SECRET} characters.")
    fixed = {
        "client_secret": "" if secret is None else seal_client_secret(secret),
        "hash_client_secret": False,
        "client_type": Application.CLIENT_CONFIDENTIAL,
        "authorization_grant_type": Application.GRANT_AUTHORIZATION_CODE,
        "algorithm": Application.RS256_ALGORITHM,
        "is_own": True,
        "may_act_alone": False,
        "may_ask_out_of_band": False,
        "require_pkce": True,
    }
    application: Application = Application.objects.update_or_create(client_id=client_id, defaults={**fixed, **fields})[
        0
    ]
    return application


def follow_csc_login() -> Application:
    """The client of tokens that a password alone gave (`services.csc_logins`)."""
    return _follow(
        settings.CSC_LOGIN_CLIENT_ID,
        None,
        name="An application with your password",
        redirect_uris="",
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
        allowed_scopes="service",
        allowed_resources=[settings.RSSP_RESOURCE],
    )


def follow_choosing() -> Application:
    """The client by which this server asks which credentials a person may choose from (`services.choosing`)."""
    return _follow(
        settings.CHOOSING_CLIENT_ID,
        None,
        name="The choice of a certificate",
        redirect_uris="",
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
        allowed_scopes="service",
        allowed_resources=[settings.RSSP_RESOURCE],
    )


def _follow_command_line() -> Application:
    """A program on a person's own machine (RFC 8252): public, at a port of its own on the loopback address, for the
    account alone; what is signed is approved by way of gateway."""
    return _follow(
        settings.COMMAND_LINE_CLIENT_ID,
        None,
        name="Paraph on the command line",
        client_type=Application.CLIENT_PUBLIC,
        redirect_uris="http://127.0.0.1/callback",
        allowed_scopes="service",
        allowed_resources=[settings.GATEWAY_RESOURCE, settings.RSSP_RESOURCE],
    )


def sync_clients() -> list[Application]:
    """Makes this installation's clients what the settings say (docs/protocols.md, section 2); safe at every start."""
    with transaction.atomic():
        clients = [
            _follow(
                settings.SIGNAPP_CLIENT_ID,
                settings.SIGNAPP_CLIENT_SECRET,
                name="Paraph",
                redirect_uris=settings.LOGIN_REDIRECT_URI,
                allowed_scopes="openid email profile service",
                allowed_resources=[settings.GATEWAY_RESOURCE, settings.RSSP_RESOURCE],
                require_pushed_requests=True,
                skip_authorization=True,
                backchannel_logout_uri=f"{settings.SIGNAPP_URL}/login/backchannel-logout",
            ),
            _follow(
                settings.GATEWAY_CLIENT_ID,
                settings.GATEWAY_CLIENT_SECRET,
                name="Paraph",
                redirect_uris=f"{settings.APPROVAL_REDIRECT_URI} {settings.GATEWAY_REDIRECT_URI}",
                allowed_scopes="credential credential-creation credential-deletion passkey-binding",
                allowed_resources=[settings.RSSP_RESOURCE],
                resource=settings.GATEWAY_RESOURCE,
                require_pushed_requests=True,
            ),
            _follow(
                settings.RSSP_CLIENT_ID,
                settings.RSSP_CLIENT_SECRET,
                name="Paraph signing service",
                redirect_uris="",
                # Not by codes: the client introspects, and asks users out of band.
                authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
                resource=settings.RSSP_RESOURCE,
                may_ask_out_of_band=True,
            ),
            follow_csc_login(),
            follow_choosing(),
        ]
        if settings.COMMAND_LINE_CLIENT:
            clients.append(_follow_command_line())
        else:
            Application.objects.filter(client_id=settings.COMMAND_LINE_CLIENT_ID).delete()
        if settings.OPERATORS_REDIRECT_URIS:
            clients.append(
                _follow(
                    settings.OPERATORS_CLIENT_ID,
                    settings.OPERATORS_CLIENT_SECRET,
                    name="Paraph administration",
                    redirect_uris=" ".join(settings.OPERATORS_REDIRECT_URIS),
                    allowed_scopes="openid email",
                    skip_authorization=True,
                )
            )
    return clients


def create_client(
    *,
    name: str,
    redirect_uris: list[str],
    is_public: bool,
    client_id: str = "",
    client_secret: str = "",
    may_act_alone: bool = False,
    may_use_gateway: bool = False,
    may_operate: bool = False,
) -> tuple[Application, str]:
    """Registers a foreign client; returns it and its secret (empty for a public client), which is told only here.

    PKCE is required of every client. ``may_act_alone`` allows tokens without a user, for seals, and such a client
    needs no redirect URI. ``may_use_gateway`` allows tokens for gateway's API beside those for the CSC API;
    ``may_operate`` those for the operators' API, and no others. Raises `InvalidRequestError` for a malformed URI, a
    client_id in use, or a public client that should act alone or for operators.
    """
    if (may_act_alone or may_operate) and is_public:
        raise InvalidRequestError("A client that can keep no secret cannot act without a user, or for operators.")
    if may_operate and may_use_gateway:
        raise InvalidRequestError("A client for operators is for nothing else.")
    secret = "" if is_public else (client_secret or create_secret())
    if secret and len(secret) < MIN_SECRET:
        raise InvalidRequestError(f"A client secret has at least {MIN_SECRET} characters.")
    application = Application(
        **({"client_id": client_id} if client_id else {}),
        name=name,
        client_type=Application.CLIENT_PUBLIC if is_public else Application.CLIENT_CONFIDENTIAL,
        client_secret=seal_client_secret(secret) if secret else "",
        hash_client_secret=False,
        authorization_grant_type=(
            Application.GRANT_AUTHORIZATION_CODE if redirect_uris else Application.GRANT_CLIENT_CREDENTIALS
        ),
        algorithm=Application.RS256_ALGORITHM,
        redirect_uris=" ".join(redirect_uris),
        allowed_scopes=OPERATOR_SCOPE if may_operate else FOREIGN_SCOPES,
        allowed_resources=[settings.RSSP_RESOURCE, *([settings.GATEWAY_RESOURCE] if may_use_gateway else [])],
        may_act_alone=may_act_alone,
    )
    if redirect_uris or not may_act_alone:
        refuse_bad_redirect_uris(redirect_uris)
    try:
        with transaction.atomic():
            application.save()
    except IntegrityError:
        raise InvalidRequestError("There is a client with this client_id already.") from None
    return application, secret


def refuse_bad_redirect_uris(redirect_uris: list[str]) -> None:
    """Raises `InvalidRequestError` for none at all, or one that no browser can be sent to."""
    allowed: list[str] = settings.OAUTH2_PROVIDER["ALLOWED_REDIRECT_URI_SCHEMES"]  # type: ignore[assignment]  # a mixed dict
    schemes = tuple(f"{scheme}://" for scheme in allowed)
    for uri in redirect_uris:
        is_odd = "#" in uri or "*" in uri or not uri.isprintable() or " " in uri
        if is_odd or not (uri.startswith(schemes) or is_loopback(uri)):
            raise InvalidRequestError(f"{uri} is not an absolute address that a browser can be sent to.")
    if not redirect_uris:
        raise InvalidRequestError("A client needs a redirect URI.")


def authenticate_client(*, client_id: str, client_secret: str) -> Application:
    """Raises `InvalidClientError` unless it is a confidential client with this secret and no better proof."""
    application = _FIND_SECRET.first(client_id)
    if application is None or not is_client_secret(client_secret, application.client_secret):
        raise InvalidClientError("Client authentication failed.")
    return application


def is_known_by_certificate(*, client_id: str) -> bool:
    """Whether this is a client that proves itself by its TLS certificate."""
    return bool(Application.objects.filter(client_id=client_id, authentication=Authentication.TLS).exists())


def identify_public_client(*, client_id: str) -> Application:
    """A public client names itself and proves nothing; raises `InvalidClientError` for any other."""
    application: Application | None = Application.objects.filter(
        client_id=client_id, client_type=Application.CLIENT_PUBLIC, fapi_profile=False
    ).first()
    if application is None:
        raise InvalidClientError("Client authentication failed.")
    return application
