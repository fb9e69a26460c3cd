"""Which addresses of the URL tables are pages, told by the tables themselves, so that a new page cannot be forgotten.

Django must be set up for the composition that is asked. An address that answers a GET with "not allowed", with a
redirect or with something else than HTML is no page; the few that cannot be told so are named here, with the reason.
"""

import uuid
from collections.abc import Iterable
from importlib import import_module

from django.urls import Resolver404, URLPattern, URLResolver, resolve, reverse
from playwright.sync_api import APIRequestContext

ROLES = ("signapp", "authz")
NOT_PAGES = {
    "signapp:state": "a part of signapp:document, renewed by htmx",
    "signapp:row": "a part of signapp:documents, renewed by htmx",
    "signapp:bulk_progress": "a part of signapp:bulk, renewed by htmx",
    "signapp:bulk_results": "a table for a spreadsheet",
    "signapp:export_state": "a part of signapp:export, renewed by htmx",
    "signapp:export_file": "an archive",
    "signapp:look_picture": "a picture",
    "signapp:file": "a PDF",
    "signapp:download": "a PDF",
    "signapp:part": "a PDF, or where its document is",
    "signapp:login_callback": "a redirect",
    "signapp:approval_callback": "a redirect",
    "signapp:identified": "a redirect",
    "authz:logo": "a picture",
    "authz:authorize": "a redirect to authz:consent",
    "authz:authorize_v1": "a redirect to authz:consent",
    "authz:authorize_v2": "a redirect to authz:consent",
    "authz:end_session": "two addresses have the name; the one with a page is seen as /authz/oauth2/logout",
    "authz:signup_by_link": "only with SIGN_UP_BY_LINK",
}
_INSTEAD = {"UUIDConverter": str(uuid.UUID(int=4)), "IntConverter": 999999}


def _patterns(role: str) -> Iterable[URLPattern]:
    waiting: list[URLPattern | URLResolver] = list(import_module(f"{role}.urls").urlpatterns)
    while waiting:
        found = waiting.pop()
        if isinstance(found, URLResolver):
            waiting += found.url_patterns
        elif found.name:
            yield found


def addresses() -> dict[str, str]:
    """Name to an address of that name; what stands for something in it, exists nowhere."""
    found = {}
    for role in ROLES:
        for pattern in _patterns(role):
            kinds = {name: type(each).__name__ for name, each in pattern.pattern.converters.items()}
            values = {name: _INSTEAD.get(kind, "x") for name, kind in kinds.items()}
            values |= {name: value for name, value in pattern.default_args.items() if name not in values}
            found[f"{role}:{pattern.name}"] = reverse(f"{role}:{pattern.name}", kwargs=values)
    return found


def unseen(paths: Iterable[str], asking: APIRequestContext, base_url: str) -> list[str]:
    """The names of pages that none of ``paths`` is an address of; ``asking`` is somebody's browser, logged in."""
    seen = set(NOT_PAGES)
    for path in paths:
        try:
            seen.add(resolve(path).view_name)
        except Resolver404:
            continue
    return [name for name, path in addresses().items() if name not in seen and _is_page(asking, base_url + path)]


def _is_page(asking: APIRequestContext, url: str) -> bool:
    answer = asking.get(url, max_redirects=0, headers={"Accept": "text/html"})
    is_html = answer.headers.get("content-type", "").startswith("text/html")
    return is_html and answer.status != 405 and not 300 <= answer.status < 400
