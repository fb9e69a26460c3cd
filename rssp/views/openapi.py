"""The descriptions of the API, for programs and for people."""

from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.csrf import csrf_exempt

from rssp.error_responses import write_error
from rssp.openapi.document import Service, build_document
from rssp.openapi.postman import write_collection
from rssp.openapi.reading import read_operations
from rssp.services.describing import describe_service
from rssp.views.endpoint import View
from rssp.wire import Version

_HOUR = 3600


def _read_only(view: View) -> View:
    """GET alone; whatever else is refused as the API refuses."""

    @csrf_exempt
    @wraps(view)
    def answer(request: HttpRequest, version: Version) -> HttpResponseBase:
        if request.method in {"GET", "HEAD"}:
            return view(request, version)
        response = write_error(request, 405, "invalid_request", "A description of this API is a GET.")
        response["Allow"] = "GET, HEAD"
        return response

    return answer


@_read_only
@cache_control(public=True, max_age=_HOUR)
def description(_request: HttpRequest, version: Version) -> HttpResponseBase:
    """The OpenAPI description; any page may read it."""
    response = JsonResponse(_document(version), json_dumps_params={"indent": 2})
    response["Access-Control-Allow-Origin"] = "*"
    return response


@_read_only
@cache_control(public=True, max_age=_HOUR)
def collection(_request: HttpRequest, version: Version) -> HttpResponseBase:
    """The Postman collection, as a file."""
    response = JsonResponse(write_collection(_document(version)), json_dumps_params={"indent": 2})
    response["Content-Disposition"] = f'attachment; filename="paraph-csc-v{version}.postman_collection.json"'
    return response


@_read_only
def page(request: HttpRequest, version: Version) -> HttpResponseBase:
    """The same to read."""
    document = _document(version)
    context = {
        "document": document,
        "version": version,
        "other_version": 3 - version,
        "service": settings.RSSP_NAME,
        "issuer": settings.ISSUER,
        "operations": read_operations(document),
    }
    return render(request, "rssp/api.html", context)


def _document(version: Version) -> dict[str, Any]:
    told = describe_service(version=version)
    # The endpoints that ``info`` leads a client of this version to: by appending, or by discovery.
    oauth2 = f"{told.oauth2}oauth2" if version == 1 else f"{told.issuer}/oauth2"
    service = Service(name=told.name, base_url=settings.CSC_BASE_URL, oauth2=oauth2, methods=told.methods)
    return build_document(service, version)
