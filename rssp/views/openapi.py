"""The descriptions of the API, for programs and for people."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from rssp.openapi.document import Service, build_document
from rssp.openapi.postman import write_collection
from rssp.openapi.reading import read_operations
from rssp.services.describing import describe_service
from rssp.wire import Version

_HOUR = 3600


@require_safe
@cache_control(public=True, max_age=_HOUR)
def description(_request: HttpRequest, version: Version) -> HttpResponseBase:
    """The OpenAPI description; any page may read it."""
    response = JsonResponse(_document(version), json_dumps_params={"indent": 2})
    response["Access-Control-Allow-Origin"] = "*"
    return response


@require_safe
@cache_control(public=True, max_age=_HOUR)
def collection(_request: HttpRequest, version: Version) -> HttpResponseBase:
    """The Postman collection, as a file."""
    response = JsonResponse(write_collection(_document(version)), json_dumps_params={"indent": 2})
    response["Content-Disposition"] = f'attachment; filename="paraph-csc-v{version}.postman_collection.json"'
    return response


@require_safe
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
    return build_document(
        Service(name=told.name, base_url=settings.CSC_BASE_URL, issuer=told.issuer, methods=told.methods), version
    )
