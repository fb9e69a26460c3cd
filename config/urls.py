"""Addresses: each served role brings its own, from the root, because they are part of a published protocol."""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from config import appearance, design, operators, views

_csc_auth: list[URLPattern] = []
if "authz" in settings.ROLES:
    from authz.urls import csc_urlpatterns

    _csc_auth = csc_urlpatterns

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", views.health),
    path("language", views.language, name="language"),
    *(
        []
        if "authz" in settings.ROLES
        else [path("admin/login/", operators.begin), path("admin/callback", operators.callback)]
    ),
    path("admin/", admin.site.urls),
    path("", include(appearance)),
    *([path("", include(design))] if settings.DEVELOPMENT else []),
    # auth/login and auth/revoke are addresses of rssp's API and the authorization server's work.
    *_csc_auth,
    *(path("", include(f"{role}.urls")) for role in settings.ROLES),
]
handler400 = "config.views.bad_request"
handler403 = "config.views.permission_denied"
handler404 = "config.views.not_found"
handler500 = "config.views.server_error"
