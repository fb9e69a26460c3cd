"""The language that an application asks for: of all pages between its request and the answer.

What a person chose by the switch on a page counts before it. An approval has to be read by whoever gives it, so no
application takes somebody to a page in another language than the one that they said they read.
"""

from collections.abc import Mapping

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation

from authz.services.languages import find_asked_language


def speak(request: HttpRequest, parameters: Mapping[str, str]) -> None:
    """From here on in the language that the request asks for, in the place of the one that the browser does."""
    if language := find_asked_language(parameters):
        request.META["HTTP_ACCEPT_LANGUAGE"] = language
        translation.activate(translation.get_language_from_request(request))


def keep_language(response: HttpResponse, language: str) -> HttpResponse:
    """For the pages that follow (`settings.ASKED_LANGUAGE_COOKIE_NAME`). A request that asks for none ends what an
    earlier one asked for."""
    name = settings.ASKED_LANGUAGE_COOKIE_NAME
    if language:
        response.set_cookie(
            name,
            language,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    else:
        response.delete_cookie(name, samesite="Lax")
    return response
