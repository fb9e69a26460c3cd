"""What several views need around them."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

View = TypeVar("View", bound=Callable[..., HttpResponse])


def no_store(view: View) -> View:
    """Nothing in between keeps a copy: neither a page with a challenge in it nor a token."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response["Cache-Control"] = "no-store"
        response["Pragma"] = "no-cache"
        return response

    return cast(View, wrapped)


def client_endpoint(view: View) -> View:
    """An endpoint for clients, not for browsers: no cookie counts here, so a forged form can use none."""
    return csrf_exempt(no_store(view))
