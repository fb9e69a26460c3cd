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
for_an_hour = cache_control(public=True, max_age=_HOUR)


def read_only(view: View) -> View:
    """GET alone; whatever else is refused as the API refuses."""

    @csrf_exempt
    @wraps(view)
    def answer(request: HttpRequest, **parameters: Any) -> HttpResponseBase:
        if request.method in {"GET", "HEAD"}:
            return view(request, **parameters)
        response = write_error(request, 405, "invalid_request", "A description of this API is a GET.")
        response["Allow"] = "GET, HEAD"
        return response

    return answer


def answer_description(document: dict[str, Any]) -> HttpResponseBase:
    """For programs, those of any page among them."""
    response = JsonResponse(document, json_dumps_params={"indent": 2})
    response["Access-Control-Allow-Origin"] = "*"
    return response


def answer_collection(document: dict[str, Any], name: str) -> HttpResponseBase:
    """As a file of this name."""
    response = JsonResponse(write_collection(document), json_dumps_params={"indent": 2})
    response["Content-Disposition"] = f'attachment; filename="{name}.postman_collection.json"'
    return response


@read_only
@for_an_hour
def description(_request: HttpRequest, version: Version) -> HttpResponseBase:
    """The OpenAPI description."""
    return answer_description(_document(version))


@read_only
@for_an_hour
def collection(_request: HttpRequest, version: Version) -> HttpResponseBase:
    """The Postman collection."""
    return answer_collection(_document(version), f"paraph-csc-v{version}")


@read_only
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
