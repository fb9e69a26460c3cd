"""Sessions: a cookie and a store for authz (with the admin) and another for signapp."""

from config.settings.addresses import HTTPS
from config.settings.process import ROLES

cookie_prefix = "__Host-" if HTTPS else ""
_OPERATOR_STORE = "authz.sessions" if "authz" in ROLES else "django.contrib.sessions.backends.db"
# The first prefix that fits decides. No entry: no session (the APIs take bearer tokens alone).
SESSION_REALMS = [
    ("/authz/", f"{cookie_prefix}paraph_authz", _OPERATOR_STORE),
    ("/admin/", f"{cookie_prefix}paraph_authz", _OPERATOR_STORE),
    ("/csc/", None, None),
    ("/gateway/", None, None),
    ("/pki/", None, None),
    ("/rssp/", None, None),
    ("/.well-known/", None, None),
    ("/static/", None, None),
    ("/appearance/", None, None),
    ("/manifest.webmanifest", None, None),
    ("/", f"{cookie_prefix}paraph_signapp", "signapp.sessions") if "signapp" in ROLES else ("/", None, None),
]
SESSION_ENGINE = _OPERATOR_STORE
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_AGE = 12 * 60 * 60
# admin.E410 looks for Django's own session middleware by name; RoleSessionMiddleware stands in its place.
SILENCED_SYSTEM_CHECKS = ["admin.E410"]
CSRF_USE_SESSIONS = True
CSRF_FAILURE_VIEW = "config.views.csrf_failure"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
DEVICE_COOKIE_NAME = f"{cookie_prefix}paraph_device"
