"""The description of the operators' API, for programs and for people. It tells of nobody, and takes no token."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render

from rssp.openapi.operators_document import build_operators_document
from rssp.openapi.reading import read_operations, read_shapes
from rssp.views.openapi import answer_collection, answer_description, for_an_hour, read_only


@read_only
@for_an_hour
def description(_request: HttpRequest) -> HttpResponseBase:
    """The OpenAPI description."""
    return answer_description(_document())


@read_only
@for_an_hour
def collection(_request: HttpRequest) -> HttpResponseBase:
    """The Postman collection."""
    return answer_collection(_document(), "paraph-operators-v1")


@read_only
def page(request: HttpRequest) -> HttpResponseBase:
    """The same to read."""
    document = _document()
    context = {
        "document": document,
        "service": settings.RSSP_NAME,
        "issuer": settings.ISSUER,
        "resource": settings.RSSP_RESOURCE,
        "operations": read_operations(document),
        "shapes": read_shapes(document),
    }
    return render(request, "rssp/operators_api.html", context)


def _document() -> dict[str, Any]:
    return build_operators_document(
        name=settings.RSSP_NAME,
        base_url=f"{settings.RSSP_URL}/rssp/operators/v1",
        oauth2=f"{settings.ISSUER}/oauth2",
        resource=settings.RSSP_RESOURCE,
    )
