"""What the authority publishes: its own certificates, where its certificates say they are."""

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from rssp.errors import AuthorityMissingError
from rssp.services.authority import read_authority

_CACHE_SECONDS = 3600


@require_safe
def root_pem(request: HttpRequest) -> HttpResponse:
    return _publish("root", "application/x-pem-file", "root.pem", Encoding.PEM)


@require_safe
def root_der(request: HttpRequest) -> HttpResponse:
    return _publish("root", "application/pkix-cert", "root.cer", Encoding.DER)


@require_safe
def issuing_der(request: HttpRequest) -> HttpResponse:
    return _publish("issuing", "application/pkix-cert", "issuing.cer", Encoding.DER)


def _publish(role: str, media_type: str, filename: str, encoding: Encoding) -> HttpResponse:
    try:
        der = bytes(read_authority(role=role).der)
    except AuthorityMissingError:
        return HttpResponse(status=404)
    response = HttpResponse(x509.load_der_x509_certificate(der).public_bytes(encoding), content_type=media_type)
    response["Cache-Control"] = f"public, max-age={_CACHE_SECONDS}"
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response
