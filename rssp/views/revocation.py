"""What relying parties ask about certificates: revocation lists and OCSP (RFC 6960, appendix A; RFC 5019, 5 and 6)."""

import base64
import binascii
import hashlib
import logging
import re
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.http import http_date
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from rssp.errors import (
    AuthorityMissingError,
    MalformedStatusRequestError,
    RevocationListUnavailableError,
    StatusTryLaterError,
    UnauthorizedStatusRequestError,
)
from rssp.pki.ocsp import LONGEST_REQUEST, Failure, build_failure
from rssp.services.authority import find_published
from rssp.services.responding import Answer, answer_request
from rssp.services.revocation_lists import read_content, read_revocation_list
from rssp.views.addresses import client_address

log = logging.getLogger(__name__)

REQUEST_TYPE, RESPONSE_TYPE = "application/ocsp-request", "application/ocsp-response"
# A cache between us and others asks again after so many seconds: a revocation is seen within a minute there too.
_SHARED_SECONDS = 60
_RETRY_SECONDS = "5"

_FAILURES: dict[type[Exception], Failure] = {
    MalformedStatusRequestError: "malformed_request",
    UnauthorizedStatusRequestError: "unauthorized",
    StatusTryLaterError: "try_later",
}


@require_safe
def revocation_list(request: HttpRequest, name: str, partition: int = 0) -> HttpResponseBase:
    try:
        published = read_revocation_list(issuer=find_published(name=name), partition=partition)
    except AuthorityMissingError:
        return _say_nothing(404)
    except RevocationListUnavailableError:
        return _say_nothing(503, **{"Retry-After": _RETRY_SECONDS})
    modified = int(published.this_update.timestamp())
    response = get_conditional_response(request, etag=f'"{published.sha256}"', last_modified=modified)
    if response is None:
        published = read_content(published)
        response = HttpResponse(bytes(published.der), content_type="application/pkix-crl")
    _let_cache(response, f'"{published.sha256}"', published.this_update, published.next_update)
    return response


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def ocsp(request: HttpRequest, encoded: str | None = None) -> HttpResponseBase:
    """Whatever is wrong is said in OCSP's words, with 200; only a body of another media type is HTTP's affair."""
    if request.method == "POST" and request.content_type != REQUEST_TYPE:
        return _say_nothing(415, **{"Accept-Post": REQUEST_TYPE})
    try:
        asked = _read_body(request) if request.method == "POST" else _decode(encoded or "")
        answer = answer_request(encoded=asked, address=client_address(request))
    except tuple(_FAILURES) as error:
        log.info("%s: %s", type(error).__name__, error)
        return _respond(build_failure(_FAILURES[type(error)]))
    except Exception:
        log.exception("an OCSP request ended in an error that has no name")
        return _respond(build_failure("internal_error"))
    if request.method == "POST" or not answer.is_shared:
        return _respond(answer.der)
    return _respond_shared(request, answer)


def _say_nothing(status: int, **headers: str) -> HttpResponse:
    return HttpResponse(status=status, headers={"Content-Type": "text/plain", "Cache-Control": "no-store", **headers})


def _read_body(request: HttpRequest) -> bytes:
    body = request.read(LONGEST_REQUEST + 1)
    if len(body) > LONGEST_REQUEST:
        raise MalformedStatusRequestError("the body is too long")
    return body


def _decode(encoded: str) -> bytes:
    """Base64 in the address, in either alphabet, with or without its end, broken into lines or not."""
    text = re.sub(r"[\r\n\t]", "", encoded).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise MalformedStatusRequestError("the address holds no base64") from None


def _respond(der: bytes) -> HttpResponse:
    return HttpResponse(der, content_type=RESPONSE_TYPE, headers={"Cache-Control": "no-store"})


def _respond_shared(request: HttpRequest, answer: Answer) -> HttpResponseBase:
    etag = f'"{hashlib.sha256(answer.der).hexdigest()}"'
    modified = int(answer.this_update.timestamp())
    unchanged = get_conditional_response(request, etag=etag, last_modified=modified)
    response = unchanged or HttpResponse(answer.der, content_type=RESPONSE_TYPE)
    _let_cache(response, etag, answer.this_update, answer.next_update)
    return response


def _let_cache(response: HttpResponseBase, etag: str, this_update: datetime, next_update: datetime) -> None:
    """RFC 5019, 6.2; a list is treated alike."""
    seconds = max(0, int((next_update - timezone.now()).total_seconds()))
    shared = min(seconds, _SHARED_SECONDS)
    response["Cache-Control"] = f"public, max-age={seconds}, s-maxage={shared}, no-transform, must-revalidate"
    response["Expires"] = http_date(next_update.timestamp())
    response["Last-Modified"] = http_date(this_update.timestamp())
    response["ETag"] = etag
