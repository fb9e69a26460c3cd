"""What every address of the API has in common: methods, the caller, errors, no caching; and how bodies are read."""

import json
from collections.abc import Callable
from contextlib import closing
from functools import wraps
from typing import IO, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from gateway import documents
from gateway.error_responses import respond, write_error
from gateway.errors import ClientNotAllowedError, DocumentTooLargeError, GatewayError, InvalidRequestError
from gateway.services.callers import Call, VerifiedCaller, verify_caller
from gateway.services.idempotency import Answer, answer_once, fingerprint

_JSON_LIMIT = 64 * 1024
_CHUNK = 256 * 1024


View = Callable[..., HttpResponseBase]


def only(*methods: str) -> Callable[[View], View]:
    """Other methods are refused as the API refuses, with what it takes in ``Allow``."""

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def answer(request: HttpRequest, **parameters: Any) -> HttpResponseBase:
            if request.method in methods:
                return view(request, **parameters)
            response = write_error(request, 405, "invalid_request", "This address takes other methods.")
            response["Allow"] = ", ".join(methods)
            return response

        return answer

    return decorate


def endpoint(*methods: str, of_people: bool = False) -> Callable[[View], View]:
    """The view gets (request, caller, …); bearer tokens alone count, so there is no cookie to forge a request with.
    What is ``of_people`` no client does with a token of its own."""

    def decorate(view: View) -> View:
        @only(*methods)
        @wraps(view)
        def answer(request: HttpRequest, **parameters: Any) -> HttpResponseBase:
            try:
                caller = verify_caller(call=_read_call(request))
                if of_people and caller.acts_alone:
                    raise ClientNotAllowedError("Only a person does this.")
                response = view(request, caller, **parameters)
            except GatewayError as error:
                response = respond(request, error)
            response["Cache-Control"] = "no-store"
            return response

        return answer

    return decorate


def _read_call(request: HttpRequest) -> Call:
    """Addressed as the world addresses this role; a certificate is the trusted proxy's word alone."""
    base, name = urlsplit(settings.GATEWAY_API_URL), settings.CLIENT_CERTIFICATE_HEADER
    is_trusted = bool(name) and request.META.get("REMOTE_ADDR") in settings.TRUSTED_PROXIES
    return Call(
        authorization=request.headers.get("Authorization"),
        proof=request.headers.get("DPoP"),
        method=request.method or "",
        address=f"{base.scheme}://{base.netloc}{request.path}",
        certificate=request.headers.get(name, "") if is_trusted else "",
    )


def by_method(**views: View) -> View:
    """One address, a view a method: ``by_method(GET=…, DELETE=…)``."""

    @only(*views)
    def choose(request: HttpRequest, **parameters: Any) -> HttpResponseBase:
        return views[request.method or ""](request, **parameters)

    return choose


def read_json(request: HttpRequest, *, limit: int = _JSON_LIMIT) -> dict[str, Any]:
    """The JSON object of a body of at most ``limit`` bytes; a duplicate member or a number that is none raises
    `InvalidRequestError`."""
    if request.content_type != "application/json":
        raise InvalidRequestError("The body must be application/json.")
    raw = request.read(limit + 1)
    if len(raw) > limit:
        raise InvalidRequestError("The body is too long.")
    try:
        body = json.loads(raw, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise InvalidRequestError("The body is not well-formed JSON.") from None
    if not isinstance(body, dict):
        raise InvalidRequestError("The body must be a JSON object.")
    return body


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("duplicate member")
    return dict(pairs)


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def receive_pdf(request: HttpRequest) -> "closing[IO[bytes]]":
    """The body, streamed into a file without a name (``with receive_pdf(request) as upload``).

    Raises `DocumentTooLargeError` as soon as that is known, `InvalidRequestError` if the body has no announced
    length, another type or did not arrive whole.
    """
    if request.content_type != "application/pdf":
        raise InvalidRequestError("The body must be application/pdf.")
    announced = request.headers.get("Content-Length", "")
    if not announced.isascii() or not announced.isdigit():
        raise InvalidRequestError("The body's length must be announced.")
    if int(announced) > settings.MAX_DOCUMENT_BYTES:
        raise DocumentTooLargeError
    file = documents.temporary_file()
    try:
        with documents.writing():
            _receive(request, file, int(announced))
    except BaseException:
        documents.discard(file)
        raise
    return closing(file)


def _receive(request: HttpRequest, file: IO[bytes], announced: int) -> None:
    received = 0
    while chunk := request.read(_CHUNK):
        received += len(chunk)
        if received > settings.MAX_DOCUMENT_BYTES:
            raise DocumentTooLargeError
        file.write(chunk)
    if received != announced:
        raise InvalidRequestError("The body did not arrive whole.")
    file.seek(0)


def read_key(request: HttpRequest) -> str | None:
    """The ``Idempotency-Key``, if there is one."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (key.isascii() and key.isprintable() and 0 < len(key) <= 255):
        raise InvalidRequestError("The Idempotency-Key must be 1 to 255 printable characters.")
    return key


def created_once(
    request: HttpRequest, caller: VerifiedCaller, content: bytes, make: Callable[[], dict[str, Any]]
) -> JsonResponse:
    """201 with what ``make`` answers, or answered to the same key and request. ``content`` is the body, or stands for
    it."""
    answer = answer_once(
        caller=caller,
        key=read_key(request),
        request=fingerprint(request.path.encode(), content),
        make=lambda: Answer(201, make()),
    )
    return JsonResponse(answer.body, status=answer.status)


def canonical(body: dict[str, Any]) -> bytes:
    """The same bytes for the same JSON, however it was written."""
    return json.dumps(body, sort_keys=True).encode()


def no_content() -> HttpResponse:
    return HttpResponse(status=204)
