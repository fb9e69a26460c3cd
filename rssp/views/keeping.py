"""For who runs this service: whether it can sign, and the bell that has its keys looked after."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from rssp.error_responses import respond
from rssp.errors import RsspError
from rssp.services.health import check_health
from rssp.services.tending import tend_keys, verify_proof


@require_safe
def health(_request: HttpRequest) -> JsonResponse:
    """200 while signatures can be made, else 503; the words are fixed and hold nothing of the token's."""
    found = check_health()
    body = {"status": "ok" if found.is_well else "failing", "hsm": found.hsm, "test_signature": found.test_signature}
    response = JsonResponse(body, status=200 if found.is_well else 503)
    response["Cache-Control"] = "no-store"
    return response


@csrf_exempt
@require_POST
def tend(request: HttpRequest) -> JsonResponse:
    scheme, _, proof = request.headers.get("Authorization", "").partition(" ")
    try:
        verify_proof(proof if scheme == "Bell" else "")
        made, destroyed = tend_keys()
    except RsspError as error:
        return respond(request, error, 2)
    return JsonResponse({"made": made, "destroyed": destroyed})
