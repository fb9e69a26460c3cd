"""Time-stamps over HTTP (RFC 3161, 3.4), open to whoever knows the address, and by the CSC API."""

import logging
from base64 import b64encode
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from rssp.algorithms import DIGEST_BYTES, HASH_NAMES
from rssp.error_responses import SYSTEM_FAILURE, TIMESTAMP_FAILURES
from rssp.errors import (
    DigestLengthError,
    InvalidParameterError,
    InvalidRequestError,
    RsspError,
    TokenError,
    TooManyRequestsError,
)
from rssp.pki.tsa import TimestampRequest, parse_request, write_refusal, write_reply
from rssp.services.callers import VerifiedToken, verify_caller
from rssp.services.timestamp_records import Caller
from rssp.services.timestamping import issue_timestamp
from rssp.views.addresses import client_address, read_call
from rssp.views.endpoint import SERVICE, endpoint
from rssp.wire import TimestampMembers, Version, parse_timestamp_request

log = logging.getLogger(__name__)

QUERY, REPLY = "application/timestamp-query", "application/timestamp-reply"
# A query has about a hundred bytes; a nonce may be long.
LONGEST_QUERY = 16 * 1024


@endpoint({1: SERVICE, 2: SERVICE})
def timestamp(request: HttpRequest, version: Version, token: VerifiedToken, body: dict[str, Any]) -> HttpResponseBase:
    """``signatures/timestamp``."""
    wanted = _read_members(parse_timestamp_request(body))
    stamped = issue_timestamp(request=wanted, caller=Caller(token.client_id, client_address(request)))
    return JsonResponse({"timestamp": b64encode(stamped).decode()})


def _read_members(wanted: TimestampMembers) -> TimestampRequest:
    hash_name = HASH_NAMES.get(wanted.hash_algorithm_oid)
    if hash_name is None:
        raise InvalidParameterError("hashAlgo")
    if len(wanted.digest) != DIGEST_BYTES[hash_name]:
        raise DigestLengthError("the digest's length is not its hash algorithm's")
    return TimestampRequest(hash_name, wanted.digest, nonce=wanted.nonce)


@csrf_exempt
def tsa(request: HttpRequest) -> HttpResponse:
    """A refusal is an answer like any other: 200, with what is wrong in its PKIStatusInfo."""
    response = _refuse_transport(request) or _answer(request)
    response["Cache-Control"] = "no-store"
    return response


def _refuse_transport(request: HttpRequest) -> HttpResponse | None:
    if request.method != "POST":
        return _say(405, "This address takes time-stamp queries by POST (RFC 3161).", Allow="POST")
    if request.content_type != QUERY:
        return _say(415, f"The body must be {QUERY}.")
    announced = request.headers.get("Content-Length") or "0"
    if not (announced.isascii() and announced.isdigit() and int(announced[:12]) <= LONGEST_QUERY):
        return _say(413, "The query is too long.")
    return None


def _answer(request: HttpRequest) -> HttpResponse:
    query = request.read(LONGEST_QUERY + 1)
    if len(query) > LONGEST_QUERY:
        return _say(413, "The query is too long.")
    try:
        caller = Caller("", client_address(request))
        if settings.TSA_REQUIRES_BEARER:
            token = verify_caller(call=read_call(request), scopes=SERVICE)
            caller = Caller(token.client_id, caller.address)
        reply = write_reply(issue_timestamp(request=parse_request(query), caller=caller))
    except TooManyRequestsError as error:
        retry = {"Retry-After": str(error.seconds)}
        return _say(429, "Too many time-stamps for one address: try again later.", **retry)
    except (TokenError, InvalidRequestError):
        return _say(401, "This address wants a service token.", **{"WWW-Authenticate": 'Bearer realm="tsa"'})
    except RsspError as error:
        log.info("no time-stamp: %s: %s", type(error).__name__, error)
        failure = ((failure, sentence) for kind, failure, sentence in TIMESTAMP_FAILURES if isinstance(error, kind))
        reply = _refuse(*next(failure, SYSTEM_FAILURE))
    except Exception:
        log.exception("a time-stamp query ended in an error that has no name")
        reply = _refuse(*SYSTEM_FAILURE)
    return HttpResponse(reply, content_type=REPLY)


def _refuse(failure: str, sentence: str) -> bytes:
    return write_refusal(failure=failure, sentence=sentence)


def _say(status: int, sentence: str, **headers: str) -> HttpResponse:
    return HttpResponse(f"{sentence}\n", status=status, content_type="text/plain; charset=utf-8", headers=headers)
