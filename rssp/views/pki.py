"""What the authority publishes: its own certificates, where its certificates say they are."""

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from rssp.errors import AuthorityMissingError
from rssp.services.authority import find_published

_CACHE_SECONDS = 3600


@require_safe
def certificate_pem(request: HttpRequest, name: str) -> HttpResponse:
    return _publish(name, "application/x-pem-file", f"{name}.pem", Encoding.PEM)


@require_safe
def certificate_der(request: HttpRequest, name: str) -> HttpResponse:
    """Any of the service's own, by its published name (RFC 5280, 4.2.2.1; RFC 2585, 4.1)."""
    return _publish(name, "application/pkix-cert", f"{name}.cer", Encoding.DER)


def _publish(name: str, media_type: str, filename: str, encoding: Encoding) -> HttpResponse:
    try:
        der = bytes(find_published(name=name).der)
    except AuthorityMissingError:
        return HttpResponse(status=404)
    response = HttpResponse(x509.load_der_x509_certificate(der).public_bytes(encoding), content_type=media_type)
    response["Cache-Control"] = f"public, max-age={_CACHE_SECONDS}"
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response
