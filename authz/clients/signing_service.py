"""The signing service, as far as a signature qualifier needs it: which credentials a person has of a kind (CSC API v2,
11.4), and one made for this signature where certificates are short-lived (docs/protocols.md, section 7)."""

import logging
from typing import Any

import httpx
from django.conf import settings

from authz.clients.http import client_for
from authz.errors import SigningServiceUnavailableError, TooManyPreparedError
from authz.wire import OfferedCredential, parse_credential, parse_credentials

log = logging.getLogger(__name__)

_MEMBERS = {"certificates": "none", "certInfo": True, "authInfo": True}


def list_credentials(*, token: str) -> list[OfferedCredential]:
    """Those of the token's owner that an approval here can open. Raises `SigningServiceUnavailableError`."""
    answer = _post("credentials/list", {"credentialInfo": True, **_MEMBERS}, token=token)
    return parse_credentials(_body(answer))


def prepare_credential(*, token: str, credential_id: str) -> OfferedCredential:
    """A credential for one signature. Raises `TooManyPreparedError` or `SigningServiceUnavailableError`."""
    answer = _post("credentials/prepareCertificate", {"credentialID": credential_id, **_MEMBERS}, token=token)
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise TooManyPreparedError("As many certificates as may be are waiting for an approval.")
    made = parse_credential(_body(answer))
    if made is None:
        raise SigningServiceUnavailableError("The signing service answered oddly.")
    return made


def _post(method: str, body: dict[str, Any], *, token: str) -> httpx.Response:
    client = client_for(settings.CSC_BASE_URL)
    try:
        return client.post(
            f"{settings.CSC_BASE_URL}/v2/{method}", json=body, headers={"Authorization": f"Bearer {token}"}
        )
    except httpx.TransportError as error:
        log.warning("%s: %s", method, type(error).__name__)
        raise SigningServiceUnavailableError("The signing service is not reached.") from None


def _body(answer: httpx.Response) -> Any:
    if not answer.is_success:
        log.warning("%s answered %s", answer.request.url.path, answer.status_code)
        raise SigningServiceUnavailableError("The signing service refused.")
    try:
        return answer.json()
    except (ValueError, RecursionError):
        raise SigningServiceUnavailableError("The signing service answered oddly.") from None
