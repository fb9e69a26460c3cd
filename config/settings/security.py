"""What is said to browsers and proxies for safety's sake: TLS, headers, the Content Security Policy."""

from csp.constants import NONE, SELF

from config.env import env_list
from config.settings.addresses import HTTPS, role_urls
from config.settings.certificates import IDENTITY_ISSUER
from config.settings.oauth import EXTERNAL_ORIGINS
from config.settings.process import DEVELOPMENT

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = HTTPS
# What is signed by itself may be had over HTTP as well: who checks the certificate of our TLS must not need it first.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^csc/healthz$", r"^pki/"]
# In development the name is one of somebody's own network, and not to be bound to TLS for a year.
SECURE_HSTS_SECONDS = 31536000 if HTTPS and not DEVELOPMENT else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
TRUSTED_PROXIES = env_list("TRUSTED_PROXIES")
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
_IDENTITY_ORIGINS = {"/".join(IDENTITY_ISSUER.split("/")[:3])} if IDENTITY_ISSUER else set()
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF, "data:"],
        "connect-src": [SELF],
        "worker-src": [SELF],
        "manifest-src": [SELF],
        # A form that is answered by a redirect to another role's host needs that host named here too.
        "form-action": sorted(
            {SELF, *(role_urls[role] for role in ("signapp", "authz")), *_IDENTITY_ORIGINS, *EXTERNAL_ORIGINS}
        ),
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
