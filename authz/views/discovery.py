"""What this server says about itself."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET

from authz.wire import write_metadata, write_provider_metadata


@require_GET
def authorization_server(_request: HttpRequest) -> HttpResponse:
    """RFC 8414."""
    return JsonResponse(write_metadata(settings.ISSUER, list(dict(settings.LANGUAGES))))


@require_GET
def openid_configuration(_request: HttpRequest) -> HttpResponse:
    """OpenID Connect Discovery 1.0."""
    return JsonResponse(write_provider_metadata(settings.ISSUER, list(dict(settings.LANGUAGES))))
