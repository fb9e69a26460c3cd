"""Clients' logos, from this origin: the policy of the pages that show them knows no other."""

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from authz.services.logos import read_logo


@require_safe
def logo(_request: HttpRequest, checksum: str) -> HttpResponse:
    """Under its checksum it never changes."""
    png = read_logo(checksum=checksum)
    if png is None:
        raise Http404
    response = HttpResponse(png, content_type="image/png")
    response["Cache-Control"] = "public, max-age=31536000, immutable"
    return response
