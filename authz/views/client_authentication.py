"""Who calls an endpoint for clients, and what the tokens that it asks for are bound to."""

import base64
import binascii
from urllib.parse import unquote_plus, urlsplit

from cryptography import x509
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest

from authz.errors import InvalidClientError, InvalidProofError, InvalidRequestError, InvalidTokenError, TooLargeError
from authz.models import AccessToken, Application
from authz.services import client_assertions, oauth_clients, tokens
from authz.services.certificates import authenticate_by_certificate, compute_thumbprint, read_certificate
from authz.services.proofs import ProvenCall, verify_proof
from authz.wire import CLIENT, Confirmation, write_token_type


def refuse_malformed(request: HttpRequest) -> None:
    """Raises `InvalidRequestError`, `TooLargeError` or `InvalidClientError` for what no client sends."""
    try:
        form = request.POST
    except RequestDataTooBig:
        raise TooLargeError("The body is too long.") from None
    for name, values in form.lists():
        if len(values) > 1 and name != "resource":
            raise InvalidRequestError("A parameter stands twice.")
        if any("\0" in str(text) for text in (name, *values)):
            raise InvalidRequestError("A parameter is malformed.")
    if "\0" in "".join(basic_credentials(request)):
        raise InvalidClientError("Client authentication failed.")


def basic_credentials(request: HttpRequest) -> tuple[str, ...]:
    """Client identifier and secret of the header (RFC 6749, section 2.3.1), or nothing where it has none."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        decoded = base64.b64decode(encoded, validate=True).decode() if scheme.lower() == "basic" else ""
    except (binascii.Error, UnicodeDecodeError):
        return ()
    client_id, colon, secret = decoded.partition(":")
    return (unquote_plus(client_id), unquote_plus(secret)) if colon else ()


def authenticate(request: HttpRequest) -> Application:
    """The client, by what it is registered to prove itself by, and by that alone (RFC 6749, section 2.3; RFC 7523;
    RFC 8705). Asked again of the same request it answers the same. Raises `InvalidClientError`."""
    if CLIENT not in request.META:
        request.META[CLIENT] = _authenticate(request)
    application: Application = request.META[CLIENT]
    return application


def _authenticate(request: HttpRequest) -> Application:
    named, secret = request.POST.get("client_id"), request.POST.get("client_secret")
    if "client_assertion" in request.POST or "client_assertion_type" in request.POST:
        return _by_assertion(request, named)
    if "Authorization" in request.headers:
        credentials = basic_credentials(request)
        if not credentials or secret is not None:
            raise InvalidClientError("Client authentication failed.")
        application = oauth_clients.authenticate_client(client_id=credentials[0], client_secret=credentials[1])
        if named not in (None, application.client_id):
            raise InvalidClientError("Client authentication failed.")
        return application
    if named and secret is not None:
        return oauth_clients.authenticate_client(client_id=named, client_secret=secret)
    certificate = _certificate(request) if named else None
    if named and certificate is not None and oauth_clients.is_known_by_certificate(client_id=named):
        return authenticate_by_certificate(client_id=named, certificate=certificate)
    return oauth_clients.identify_public_client(client_id=named or "")


def _by_assertion(request: HttpRequest, named: str | None) -> Application:
    if "Authorization" in request.headers or "client_secret" in request.POST:
        raise InvalidClientError("Client authentication failed.")
    if request.POST.get("client_assertion_type") != client_assertions.ASSERTION_TYPE:
        raise InvalidClientError("The client_assertion_type is not one of this server's.")
    return client_assertions.authenticate_by_assertion(
        assertion=request.POST.get("client_assertion", ""), client_id=named
    )


def _certificate(request: HttpRequest) -> x509.Certificate | None:
    """What the trusted proxy says that the client showed; a header of anybody else's counts for nothing."""
    name = settings.CLIENT_CERTIFICATE_HEADER
    if not name or request.META.get("REMOTE_ADDR") not in settings.TRUSTED_PROXIES:
        return None
    return read_certificate(header=request.headers.get(name, ""))


def read_call(request: HttpRequest) -> ProvenCall | None:
    """The call with its DPoP proof, if it has one; addressed as the world addresses this server."""
    proof = request.headers.get("DPoP")
    if proof is None:
        return None
    base = settings.CSC_BASE_URL if request.path.startswith("/csc/") else settings.ISSUER
    parts = urlsplit(base)
    return ProvenCall(proof, request.method or "", f"{parts.scheme}://{parts.netloc}{request.path}")


def confirm(request: HttpRequest, application: Application) -> Confirmation:
    """What the client's new tokens are bound to: the key that it proves (RFC 9449), or its certificate (RFC 8705).

    Raises `InvalidProofError`, also where a client must bind its tokens and does not.
    """
    if (call := read_call(request)) is not None:
        return {"jkt": verify_proof(call=call)}
    if application.require_dpop:
        raise InvalidProofError("This client's tokens are bound to a key: the DPoP header is missing.")
    if application.tls_bound_tokens:
        certificate = _certificate(request)
        if certificate is None:
            raise InvalidClientError("This client's tokens are bound to its TLS certificate, and none was shown.")
        return {"x5t#S256": compute_thumbprint(certificate)}
    if application.fapi_profile:
        raise InvalidProofError("This client's tokens are bound to a key: the DPoP header is missing.")
    return None


def read_presented(request: HttpRequest) -> AccessToken:
    """The live access token that a request presents to this server itself, as a resource: bound ones with their proof,
    as ``Authorization: DPoP`` (RFC 9449, section 7). Raises `InvalidTokenError` or `InvalidProofError`."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    value = value.strip(" ")
    live = tokens.read_access_token(access_token=value)
    bound = live.confirmation or {}
    if scheme.lower() != write_token_type(bound).lower():
        raise InvalidTokenError("The token is presented in another way than it was issued for.")
    if "jkt" in bound:
        call = read_call(request)
        if call is None or verify_proof(call=call, access_token=value) != bound["jkt"]:
            raise InvalidProofError("The token's key was not proven.")
    if "x5t#S256" in bound:
        certificate = _certificate(request)
        if certificate is None or compute_thumbprint(certificate) != bound["x5t#S256"]:
            raise InvalidTokenError("The token is bound to another certificate.")
    return live
