"""The description of the API, for programs and for people."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import cache_control

from gateway.openapi.document import Service, build_document
from gateway.openapi.reading import read_operations, read_shapes
from gateway.views.endpoint import only

_HOUR = 3600


@only("GET", "HEAD")
@cache_control(public=True, max_age=_HOUR)
def description(_request: HttpRequest) -> HttpResponseBase:
    """The OpenAPI description; any page may read it."""
    response = JsonResponse(_document(), json_dumps_params={"indent": 2})
    response["Access-Control-Allow-Origin"] = "*"
    return response


@only("GET", "HEAD")
def page(request: HttpRequest) -> HttpResponseBase:
    """The same to read."""
    document = _document()
    context = {
        "document": document,
        "issuer": settings.ISSUER,
        "resource": settings.GATEWAY_RESOURCE,
        "operations": read_operations(document),
        "shapes": read_shapes(),
    }
    return render(request, "gateway/api.html", context)


def _document() -> dict[str, Any]:
    service = Service(
        base_url=settings.GATEWAY_API_URL,
        oauth2=f"{settings.ISSUER}/oauth2",
        resource=settings.GATEWAY_RESOURCE,
        largest=settings.MAX_DOCUMENT_BYTES,
    )
    return build_document(service)
