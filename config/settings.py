"""One flat settings file. Every variable that it reads is described in `.env.example`."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from celery.schedules import schedule
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from csp.constants import NONE, SELF

from config.env import (
    ConfigurationError,
    database,
    env_bool,
    env_counts,
    env_int,
    env_list,
    env_secret,
    env_str,
    random_secret,
)
from config.roles import alias_of, parse_roles

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(env_str("VAR_DIR", str(BASE_DIR / "var"))).resolve()

# --- What this process is -----------------------------------------------------------------------------------
ENVIRONMENT = env_str("ENVIRONMENT")
if ENVIRONMENT not in {"development", "production"}:
    raise ConfigurationError("ENVIRONMENT must be 'development' or 'production'")
DEVELOPMENT = ENVIRONMENT == "development"
DEBUG = False
ROLES = parse_roles(env_str("ROLES", "all"))
# "web" serves requests and may call a role it serves in-process; "worker" always goes over HTTP, because
# only a web process that serves rssp may open the HSM token.
PROCESS = env_str("PROCESS", "web")

_DEVELOPMENT_SECRETS = VAR_DIR / "secrets" if DEVELOPMENT else None


def _fernet_key() -> str:
    return Fernet.generate_key().decode()


def _rsa_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _ec_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _pin() -> str:
    return "".join(str(byte % 10) for byte in os.urandom(12))


def _mac_key() -> str:
    return f"1:{random_secret()}"


# --- Addresses: everything derives from BASE_URL (docs/protocols.md, section 1) -------------------------------
BASE_URL = env_str("BASE_URL", "http://localhost:8000" if DEVELOPMENT else None).rstrip("/")
AUTHZ_URL = env_str("AUTHZ_URL", BASE_URL).rstrip("/")
RSSP_URL = env_str("RSSP_URL", BASE_URL).rstrip("/")
GATEWAY_URL = env_str("GATEWAY_URL", BASE_URL).rstrip("/")
SIGNAPP_URL = env_str("SIGNAPP_URL", BASE_URL).rstrip("/")
# An OpenID provider in authz's place (docs/operations/external-identity-provider.md), letter for letter as it names
# itself.
EXTERNAL_ISSUER = env_str("EXTERNAL_ISSUER", "")
ISSUER = EXTERNAL_ISSUER or f"{AUTHZ_URL}/authz"
# How its access tokens are read: jwt (RFC 9068) or introspection (RFC 7662), and where, if not where its metadata say.
EXTERNAL_TOKENS = env_str("EXTERNAL_TOKENS", "jwt")
EXTERNAL_INTROSPECTION_URL = env_str("EXTERNAL_INTROSPECTION_URL", "")
# How a token's audiences are asked for there (resource, RFC 8707, or audience), and what of a login.
EXTERNAL_AUDIENCE_PARAMETER = env_str("EXTERNAL_AUDIENCE_PARAMETER", "resource")
EXTERNAL_LOGIN_SCOPE = env_str("EXTERNAL_LOGIN_SCOPE", "openid email profile service")
# Where its pages are: browsers follow the answers to our forms to these origins alone.
EXTERNAL_ORIGINS = env_list("EXTERNAL_ORIGINS") or (
    [f"{urlsplit(EXTERNAL_ISSUER).scheme}://{urlsplit(EXTERNAL_ISSUER).netloc}"] if EXTERNAL_ISSUER else []
)
# An OpenID provider that says who asks for a certificate (docs/registration.md), beside the one who logs people in.
IDENTITY_ISSUER = env_str("IDENTITY_ISSUER", "")
CSC_BASE_URL = f"{RSSP_URL}/csc"
RSSP_RESOURCE = f"{RSSP_URL}/csc"
# What signatures with a profile's credentials are called where a client names that in a credential's place (CSC API,
# 8.4.2). It is the operator's word; the demonstration's says that it is one.
SIGNATURE_QUALIFIERS: dict[str, str] = dict(
    item.partition("=")[::2] for item in env_list("SIGNATURE_QUALIFIERS", "demonstration=paraph_demonstration")
)
GATEWAY_API_URL = f"{GATEWAY_URL}/gateway/v1"
GATEWAY_RESOURCE = f"{GATEWAY_URL}/gateway"
LOGIN_REDIRECT_URI = f"{SIGNAPP_URL}/login/callback"
APPROVAL_REDIRECT_URI = f"{SIGNAPP_URL}/approval/callback"
GATEWAY_REDIRECT_URI = f"{GATEWAY_URL}/gateway/approval/callback"
_ROLE_URLS = {"signapp": SIGNAPP_URL, "authz": AUTHZ_URL, "gateway": GATEWAY_URL, "rssp": RSSP_URL}
ALLOWED_HOSTS = sorted({urlsplit(_ROLE_URLS[role]).hostname or "" for role in ROLES})
if DEVELOPMENT:
    ALLOWED_HOSTS += ["127.0.0.1"]
HTTPS = all(_ROLE_URLS[role].startswith("https://") for role in ROLES)

# --- Django -------------------------------------------------------------------------------------------------
SECRET_KEY = env_secret("SECRET_KEY", development=_DEVELOPMENT_SECRETS)
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
INSTALLED_APPS = [
    "config.apps.ComposedConfig",
    *(f"{role}.apps.{role.capitalize()}Config" for role in ROLES),
    *(["oauth2_provider"] if "authz" in ROLES else ["django.contrib.sessions"]),
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "csp",
]
MIDDLEWARE = [
    "config.middleware.request_id",
    "django.middleware.security.SecurityMiddleware",
    "config.middleware.refuse_without_time",
    "config.middleware.straight_to_apis",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "config.middleware.RoleSessionMiddleware",
    "config.middleware.PageLanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
# Where views may say that they need nothing of what stands below.
API_PREFIXES = ("/csc/",)
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.appearance.product",
            ],
        },
    }
]
APPEND_SLASH = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
USE_I18N = True
# Each by its own name for itself. Without a catalogue below locale/ a language is none of ours.
LANGUAGES = [("en", "English"), ("fr", "Français")]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_NAME = f"{'__Host-' if HTTPS else ''}paraph_language"
LANGUAGE_COOKIE_AGE = 365 * 24 * 60 * 60
LANGUAGE_COOKIE_SECURE = HTTPS
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
# What an application asked for (`lang`, `ui_locales`), below /authz/ alone and until the browser is closed.
ASKED_LANGUAGE_COOKIE_NAME = f"{'__Host-' if HTTPS else ''}paraph_asked_language"
# What programs and operators read is in LANGUAGE_CODE, whatever a browser asks for.
ONE_LANGUAGE = ("/csc/", "/gateway/", "/pki/", "/rssp/", "/admin/", "/.well-known/")
# But for the pages among them that are for everybody.
EVERY_LANGUAGE = ("/pki/",)
USE_TZ = True
TIME_ZONE = "UTC"

# --- What the product is called and looks like, until an operator says otherwise in the administration ---------------
PRODUCT_NAME = env_str("PRODUCT_NAME", "Paraph")
PRODUCT_ACCENT = env_str("PRODUCT_ACCENT", "")  # #rrggbb; empty: the stylesheet's own
# A callable that answers it (name, accent, logo): how a role asks, which does not know the composition.
APPEARANCE = "config.appearance.read_product"
# What a role sends mails by.
LETTERS = "config.letters.send_letter"

# --- Databases: one a role ----------------------------------------------------------------------------------
DATABASE_PATIENCE_SECONDS = env_int("DATABASE_PATIENCE_SECONDS", 10)
DATABASES = {
    alias_of(role, ROLES): database(
        env_secret(
            f"DATABASE_URL_{role.upper()}",
            development=_DEVELOPMENT_SECRETS,
            make=lambda role=role: f"sqlite://{VAR_DIR}/{role}.sqlite3",  # type: ignore[misc]
        ),
        DATABASE_PATIENCE_SECONDS,
    )
    for role in ROLES
}
DATABASE_ROUTERS = ["config.roles.RoleRouter"]

# --- Users and operators --------------------------------------------------------------------------------------
# Where authz is not served, operators are Django's own users, made when they log in at ISSUER.
AUTH_USER_MODEL = "authz.User" if "authz" in ROLES else "auth.User"
AUTHENTICATION_BACKENDS = (
    ["django.contrib.auth.backends.ModelBackend"] if "authz" in ROLES else ["config.operators.OperatorBackend"]
)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# --- Sessions: a cookie and a store for authz (with the admin) and another for signapp ---------------------------
# The first prefix that fits decides. No entry: no session (the APIs take bearer tokens alone).
_OPERATOR_STORE = "authz.sessions" if "authz" in ROLES else "django.contrib.sessions.backends.db"
_COOKIE_PREFIX = "__Host-" if HTTPS else ""
SESSION_REALMS = [
    ("/authz/", f"{_COOKIE_PREFIX}paraph_authz", _OPERATOR_STORE),
    ("/admin/", f"{_COOKIE_PREFIX}paraph_authz", _OPERATOR_STORE),
    ("/csc/", None, None),
    ("/gateway/", None, None),
    ("/pki/", None, None),
    ("/rssp/", None, None),
    ("/.well-known/", None, None),
    ("/static/", None, None),
    ("/appearance/", None, None),
    ("/manifest.webmanifest", None, None),
    ("/", f"{_COOKIE_PREFIX}paraph_signapp", "signapp.sessions") if "signapp" in ROLES else ("/", None, None),
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

# --- Browser-side defences ------------------------------------------------------------------------------------
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
            {SELF, *(_ROLE_URLS[role] for role in ("signapp", "authz")), *_IDENTITY_ORIGINS, *EXTERNAL_ORIGINS}
        ),
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# --- Static files ---------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_MIMETYPES = {".mjs": "text/javascript", ".wasm": "application/wasm"}

# --- Calls between roles --------------------------------------------------------------------------------------
# A callable (address) -> httpx.BaseTransport | None; None is httpx's own, over the network.
CLIENT_TRANSPORT = "config.transport.transport_for"
IN_PROCESS_URLS = [_ROLE_URLS[role] for role in ROLES] if PROCESS == "web" else []
# A callable that answers rssp's introspection where this process serves authz as well; empty: by CLIENT_TRANSPORT.
INTROSPECTION = "config.introspection.introspect" if PROCESS == "web" and {"authz", "rssp"} <= set(ROLES) else ""
CLIENT_TIMEOUT_SECONDS = env_int("CLIENT_TIMEOUT_SECONDS", 30)

# --- authz ----------------------------------------------------------------------------------------------------
SIGNAPP_CLIENT_ID = env_str("SIGNAPP_CLIENT_ID", "paraph-signapp")
GATEWAY_CLIENT_ID = env_str("GATEWAY_CLIENT_ID", "paraph-gateway")
RSSP_CLIENT_ID = env_str("RSSP_CLIENT_ID", "paraph-rssp")
# auth/login of the CSC API: a service token for a password alone, issued to a client that nobody else can be.
CSC_LOGIN = env_bool("CSC_LOGIN", default=DEVELOPMENT)
# Whether the client of the command line (paraph_client) may log people in: a public one, so any program may be it.
COMMAND_LINE_CLIENT = env_bool("COMMAND_LINE_CLIENT", default=DEVELOPMENT)
COMMAND_LINE_CLIENT_ID = "paraph-cli"
CSC_LOGIN_CLIENT_ID = "paraph-csc-login"
# authz's own, by which it asks rssp for a person's credentials while that person chooses.
CHOOSING_CLIENT_ID = "paraph-choosing"
# Whether what is asked of auth/ and oauth2/ below {CSC_BASE_URL}/v1/ and /v2/ reaches authz: by itself, or by the proxy
# in front.
CSC_AUTH = env_bool("CSC_AUTH", default={"authz", "rssp"} <= set(ROLES))
# DPoP proofs without a nonce of this server's own are refused (RFC 9449, section 8).
DPOP_NONCE_REQUIRED = env_bool("DPOP_NONCE_REQUIRED", default=False)
# The header in which the trusted proxy hands a client's TLS certificate over, for RFC 8705; empty: nobody does.
CLIENT_CERTIFICATE_HEADER = env_str("CLIENT_CERTIFICATE_HEADER", "")
# Hosts at which clients may keep their keys, or be told of logouts, although they are private or without TLS.
CLIENT_URI_HOSTS = tuple(env_list("CLIENT_URI_HOSTS"))
# The admin of a process that does not serve authz logs its operators in at the issuer.
OPERATORS_CLIENT_ID = "paraph-operators"
OPERATORS_CLIENT_SECRET = env_secret("OPERATORS_CLIENT_SECRET", development=_DEVELOPMENT_SECRETS)
OPERATORS_REDIRECT_URIS = sorted({f"{url}/admin/callback" for url in _ROLE_URLS.values() if url != AUTHZ_URL})
if {"signapp", "authz"} & set(ROLES):
    SIGNAPP_CLIENT_SECRET = env_secret("SIGNAPP_CLIENT_SECRET", development=_DEVELOPMENT_SECRETS)
if {"gateway", "authz"} & set(ROLES):
    GATEWAY_CLIENT_SECRET = env_secret("GATEWAY_CLIENT_SECRET", development=_DEVELOPMENT_SECRETS)
if {"rssp", "authz"} & set(ROLES):
    RSSP_CLIENT_SECRET = env_secret("RSSP_CLIENT_SECRET", development=_DEVELOPMENT_SECRETS)
    # How rssp decides requests for certificates, by policy: automatic, verified-email, approval or claims. What is not
    # named needs an operator's approval, and so does every policy whose certificates hold verified names. authz has
    # whom it concerns confirm the address before they approve.
    REGISTRATION = {
        "demonstration": "verified-email",
        **dict(item.partition("=")[::2] for item in env_list("REGISTRATION")),
    }
WEBAUTHN_RP_ID = env_str("WEBAUTHN_RP_ID", urlsplit(AUTHZ_URL).hostname)
WEBAUTHN_ORIGIN = AUTHZ_URL
LOGIN_URL = f"{ISSUER}/login"
# A sign-up begins at a link in a mail, so that it tells nobody whose address has an account.
SIGN_UP_BY_LINK = env_bool("SIGN_UP_BY_LINK", default=not DEVELOPMENT)
# The kinds of authenticator that may be enrolled (AAGUIDs); any, where none is named. Which ones they are is proven by
# attestation under the certificates of PASSKEY_ATTESTATION_ROOTS, a PEM file.
PASSKEY_AAGUIDS = [item.lower() for item in env_list("PASSKEY_AAGUIDS")]
PASSKEY_ATTESTATION_ROOTS = env_str("PASSKEY_ATTESTATION_ROOTS", "")
DEVICE_COOKIE_NAME = f"{_COOKIE_PREFIX}paraph_device"
if "authz" in ROLES:
    # By which what this server signs is signed where a client wants no RSA, or is held to the FAPI profile.
    OIDC_EC_PRIVATE_KEY = env_secret("OIDC_EC_PRIVATE_KEY", development=_DEVELOPMENT_SECRETS, make=_ec_key)
    OAUTH2_PROVIDER_APPLICATION_MODEL = "authz.Application"
    OAUTH2_PROVIDER_ACCESS_TOKEN_MODEL = "authz.AccessToken"
    OAUTH2_PROVIDER_REFRESH_TOKEN_MODEL = "authz.RefreshToken"
    OAUTH2_PROVIDER_ID_TOKEN_MODEL = "authz.IDToken"
    OAUTH2_PROVIDER_GRANT_MODEL = "authz.Grant"
    OAUTH2_PROVIDER = {
        "OIDC_ENABLED": True,
        "OIDC_ISS_ENDPOINT": ISSUER,
        "OIDC_RSA_PRIVATE_KEY": env_secret("OIDC_RSA_PRIVATE_KEY", development=_DEVELOPMENT_SECRETS, make=_rsa_key),
        "OAUTH2_VALIDATOR_CLASS": "authz.oauth_validator.OAuthValidator",
        "ACCESS_TOKEN_GENERATOR": "authz.oauth_validator.create_token_value",
        "REFRESH_TOKEN_GENERATOR": "authz.oauth_validator.create_refresh_value",
        "PKCE_REQUIRED": True,
        "APPLICATION_ADMIN_CLASS": "authz.admin.ApplicationAdmin",
        "ACCESS_TOKEN_ADMIN_CLASS": "authz.admin.HiddenAdmin",
        "GRANT_ADMIN_CLASS": "authz.admin.HiddenAdmin",
        "ID_TOKEN_ADMIN_CLASS": "authz.admin.HiddenAdmin",
        "REFRESH_TOKEN_ADMIN_CLASS": "authz.admin.HiddenAdmin",
        "AUTHORIZATION_CODE_EXPIRE_SECONDS": 60,
        "ACCESS_TOKEN_EXPIRE_SECONDS": 15 * 60,
        "REFRESH_TOKEN_EXPIRE_SECONDS": 12 * 60 * 60,
        "ROTATE_REFRESH_TOKEN": True,
        "REFRESH_TOKEN_REUSE_PROTECTION": True,
        "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
        "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
        "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
        "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
        "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
        "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
        "ALLOWED_REDIRECT_URI_SCHEMES": ["https", "http"] if DEVELOPMENT else ["https"],
        "SCOPES": {
            "openid": "Know who you are",
            "email": "Know your e-mail address",
            "profile": "Know your name",
            "service": "Use your signing certificates' descriptions",
            "credential": "Sign with one certificate",
            "credential-creation": "Create a certificate",
            "credential-deletion": "Delete a certificate",
            "passkey-binding": "Change which passkeys sign with a certificate",
            "operator": "Administer everybody's certificates in your name",
        },
        "DEFAULT_SCOPES": ["service"],
    }

# --- rssp -----------------------------------------------------------------------------------------------------
APPROVAL_RP_ID = WEBAUTHN_RP_ID
APPROVAL_ORIGIN = WEBAUTHN_ORIGIN
if "rssp" in ROLES:
    PKCS11_MODULE = env_str("PKCS11_MODULE", "/usr/lib/softhsm/libsofthsm2.so")
    PKCS11_TOKEN_LABEL = env_str("PKCS11_TOKEN_LABEL", "paraph")
    PKCS11_PIN = env_secret("PKCS11_PIN", development=_DEVELOPMENT_SECRETS, make=_pin)
    # Where a SoftHSM token lives; read by SoftHSM itself when its library is loaded, ignored by any other HSM.
    SOFTHSM2_DIR = VAR_DIR / "softhsm"
    os.environ.setdefault("SOFTHSM2_CONF", str(SOFTHSM2_DIR / "softhsm2.conf"))
    # Comma-separated version:secret; the first makes the ledger's and the audit's codes, all verify.
    LEDGER_MAC_KEY = env_secret("LEDGER_MAC_KEY", development=_DEVELOPMENT_SECRETS, make=_mac_key).split(",")
    HSM_MAX_SESSIONS = env_int("HSM_MAX_SESSIONS", 32)
    HSM_WAIT_SECONDS = env_int("HSM_WAIT_SECONDS", 5)
    # Where new keys are kept: "wrapped" by a key of the token's, in the database, or "resident" in the token.
    KEY_STORAGE = env_str("KEY_STORAGE", "wrapped")
    KEY_CACHE_SECONDS = env_int("KEY_CACHE_SECONDS", 0)
    KEY_CACHE_KEYS = env_int("KEY_CACHE_KEYS", 16)
    KEY_POOL = env_counts("KEY_POOL", "rsa-2048=4,rsa-3072=1")
    HEALTH_SECONDS = env_int("HEALTH_SECONDS", 5)
    HEALTH_TEST_SIGNATURE = env_bool("HEALTH_TEST_SIGNATURE", default=True)
    RSSP_NAME = env_str("RSSP_NAME", "Paraph")
    RSSP_REGION = env_str("RSSP_REGION", "FR")
    # Who the authority's certificates say it is (EN 319 412-2, 4.2.3.1), and the profiles it issues certificates of.
    RSSP_ORGANIZATION = env_str("RSSP_ORGANIZATION", f"{RSSP_NAME} (demonstration)")
    RSSP_ORGANIZATION_IDENTIFIER = env_str("RSSP_ORGANIZATION_IDENTIFIER", f"PA:{RSSP_REGION}-DEMONSTRATION")
    # The root's key is kept in another installation, off-line perhaps; docs/operations/root-ceremony.md.
    RSSP_ROOT_ELSEWHERE = env_bool("RSSP_ROOT_ELSEWHERE", default=False)
    # What certificates point to. Without TLS: whoever verifies a certificate would need another one to do so (RFC 5280,
    # 8; EN 319 412-2, 4.3.11), and everything there is signed.
    RSSP_PKI_URL = env_str("RSSP_PKI_URL", f"{RSSP_URL.replace('https://', 'http://', 1)}/pki").rstrip("/")
    RSSP_CERTIFICATE_POLICIES = env_list("RSSP_CERTIFICATE_POLICIES", "demonstration")
    # A PNG or JPEG of at most 256 x 256 pixels (CSC API, info).
    RSSP_LOGO = env_str("RSSP_LOGO", f"{RSSP_URL}/static/img/mark-180.png")
    # Explicit mode. Comma-separated Fernet keys: the first one seals what its factors are known by, all unseal.
    RSSP_FACTOR_KEYS = env_secret("RSSP_FACTOR_KEYS", development=_DEVELOPMENT_SECRETS, make=_fernet_key).split(",")
    RSSP_FACTOR_TRIES = env_int("RSSP_FACTOR_TRIES", 5)
    RSSP_FACTOR_LOCK_SECONDS = env_int("RSSP_FACTOR_LOCK_SECONDS", 15 * 60)
    RSSP_OTP_SECONDS = env_int("RSSP_OTP_SECONDS", 5 * 60)
    RSSP_OTP_RESEND_SECONDS = env_int("RSSP_OTP_RESEND_SECONDS", 30)
    RSSP_SAD_SECONDS = env_int("RSSP_SAD_SECONDS", 5 * 60)
    RSSP_APPROVAL_WAIT_SECONDS = env_int("RSSP_APPROVAL_WAIT_SECONDS", 60)
    RSSP_APPROVAL_WAITS = env_int("RSSP_APPROVAL_WAITS", 4)
    RSSP_DESCRIPTION = env_str("RSSP_DESCRIPTION", "")
    # An OpenID provider that says who asks for a certificate (docs/registration.md), whose client rssp is; which of its
    # claims are which attributes, and what acr is close enough a look.
    IDENTITY_CLIENT_ID = env_str("IDENTITY_CLIENT_ID", "")
    IDENTITY_CLIENT_SECRET = env_secret("IDENTITY_CLIENT_SECRET", development=None) if IDENTITY_ISSUER else ""
    IDENTITY_REDIRECT_URI = f"{SIGNAPP_URL}/account/identified"
    IDENTITY_SCOPES = env_list("IDENTITY_SCOPES", "openid,profile")
    IDENTITY_ACR_VALUES = env_list("IDENTITY_ACR_VALUES")
    IDENTITY_CLAIMS = dict(
        item.partition("=")[::2]
        for item in env_list("IDENTITY_CLAIMS", "given_name=given_name,surname=family_name,country=address.country")
    )
    # Who is told, once a day, which certificates end within that many days.
    OPERATOR_ADDRESSES = env_list("OPERATOR_ADDRESSES")
    EXPIRY_WARNING_DAYS = env_int("EXPIRY_WARNING_DAYS", 30)
    REQUEST_DAYS = env_int("REQUEST_DAYS", 30)
    # How long a verification stands behind certificates for one signature each, and how many of these one person may
    # have that wait for an approval.
    SHORT_LIVED_DAYS = env_int("SHORT_LIVED_DAYS", 365)
    PREPARED_CREDENTIALS = env_int("PREPARED_CREDENTIALS", 10)
    # Where a second operator must confirm: requests (approving a request), lifecycle (ending keys and certificates).
    FOUR_EYES = env_list("FOUR_EYES")
    # Clients that the operators' API lets in, by client_id; with =subject the person who answers for what the client
    # does without anybody.
    OPERATOR_API_CLIENTS = dict(item.partition("=")[::2] for item in env_list("OPERATOR_API_CLIENTS"))
    # How old an access token of EXTERNAL_ISSUER's of scope credential may be.
    EXTERNAL_APPROVAL_SECONDS = env_int("EXTERNAL_APPROVAL_SECONDS", 300)
    # Who issues, by policy: built-in (where it is not named), cmp or by-hand.
    CERTIFICATE_ISSUERS = dict(item.partition("=")[::2] for item in env_list("CERTIFICATE_ISSUERS"))
    # PEM certificates that the chain of an outside authority's certificate may end in.
    OUTSIDE_ANCHORS_FILE = env_str("OUTSIDE_ANCHORS_FILE", "")
    # An outside authority by the Certificate Management Protocol; the secret is shared with it, the reference names it.
    CMP_URL = env_str("CMP_URL", "")
    CMP_REFERENCE = env_str("CMP_REFERENCE", "")
    # Or signatures: our key and certificate with its chain, and the certificate that the authority answers by; PEM.
    CMP_KEY_FILE = env_str("CMP_KEY_FILE", "")
    CMP_CERTIFICATE_FILE = env_str("CMP_CERTIFICATE_FILE", "")
    CMP_SERVER_CERTIFICATE_FILE = env_str("CMP_SERVER_CERTIFICATE_FILE", "")
    CMP_SECRET = env_secret("CMP_SECRET", development=None) if CMP_URL and not CMP_KEY_FILE else ""
    # Mode A of signHash: how long a result is kept unless the client says, how long at most, how many calls one process
    # holds, and hosts that may be told although they are private or without TLS.
    RESULT_VALIDITY = timedelta(seconds=env_int("RESULT_VALIDITY_SECONDS", 600))
    LONGEST_RESULT_VALIDITY = timedelta(seconds=env_int("LONGEST_RESULT_VALIDITY_SECONDS", 3600))
    MOST_WAITING_CALLS = env_int("MOST_WAITING_CALLS", 100)
    RESPONSE_URI_HOSTS = tuple(env_list("RESPONSE_URI_HOSTS"))
    # Calls of the API in a minute that a web process answers: for one client, and for one address without a token.
    CSC_CALLS_PER_CLIENT = env_int("CSC_CALLS_PER_CLIENT", 6000)
    CSC_CALLS_PER_ADDRESS = env_int("CSC_CALLS_PER_ADDRESS", 600)
    # Time-stamping (docs/timestamping.md).
    TSA_TIME_SOURCE = env_str("TSA_TIME_SOURCE", "none" if DEVELOPMENT else "kernel")
    TSA_POLICY_OID = env_str("TSA_POLICY_OID", "")
    TSA_ACCURACY = timedelta(milliseconds=env_int("TSA_ACCURACY_MILLISECONDS", 1000))
    TSA_LARGEST_CLOCK_STEP = timedelta(milliseconds=env_int("TSA_LARGEST_CLOCK_STEP_MILLISECONDS", 2000))
    TSA_TOKENS_PER_MINUTE = env_int("TSA_TOKENS_PER_MINUTE", 600)
    # The level of assurance (acr) that a person's token must have at rssp; empty: any (RFC 9470).
    REQUIRED_ACR = env_str("REQUIRED_ACR", "")
    TSA_REQUIRES_BEARER = env_bool("TSA_REQUIRES_BEARER", default=False)
    TSA_RETENTION = timedelta(days=env_int("TSA_RETENTION_DAYS", 365))

    # How long a revocation list and an OCSP answer are in force; both are renewed when half of that is over.
    CRL_LIFETIME = timedelta(hours=env_int("CRL_LIFETIME_HOURS", 24))
    OCSP_LIFETIME = timedelta(minutes=env_int("OCSP_LIFETIME_MINUTES", 60))
    # How many certificates share a revocation list.
    CRL_PARTITION_SIZE = env_int("CRL_PARTITION_SIZE", 100_000)
    # Answers that a web process signs in a minute: for one address, and for all.
    OCSP_SIGNATURES_PER_ADDRESS = env_int("OCSP_SIGNATURES_PER_ADDRESS", 60)
    OCSP_SIGNATURES = env_int("OCSP_SIGNATURES", 6000)

# --- gateway --------------------------------------------------------------------------------------------------
MAX_DOCUMENT_BYTES = env_int("MAX_DOCUMENT_BYTES", 500_000_000)
MAX_DOCUMENT_PAGES = env_int("MAX_DOCUMENT_PAGES", 5000)
FILE_UPLOAD_TEMP_DIR = str(VAR_DIR / "tmp")
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
if "gateway" in ROLES:
    # Comma-separated Fernet keys, the first one wraps, all unwrap.
    GATEWAY_DOCUMENT_KEYS = env_secret(
        "GATEWAY_DOCUMENT_KEYS", development=_DEVELOPMENT_SECRETS, make=_fernet_key
    ).split(",")
    GATEWAY_DOCUMENTS_DIR = VAR_DIR / "gateway-documents"
    JOB_RETENTION = timedelta(days=env_int("JOB_RETENTION_DAYS", 7))
    # What one caller, a person or a client that acts alone, may keep: jobs that are not signed, archives, and bytes of
    # both together, signed jobs too.
    CALLER_JOBS = env_int("CALLER_JOBS", 2000)
    CALLER_ARCHIVES = env_int("CALLER_ARCHIVES", 10_000)
    CALLER_BYTES = env_int("CALLER_BYTES", 20_000_000_000)
    # The level of a signature whose caller asks for none (EN 319 142-1, 6): B-B, B-T, B-LT or B-LTA.
    SIGNATURE_LEVEL = env_str("SIGNATURE_LEVEL", "B-LT")
    TIMESTAMP_URL = env_str("TIMESTAMP_URL", f"{RSSP_URL}/pki/tsa")
    # How long before its last proof ends an archived document is renewed.
    ARCHIVE_RENEWAL = timedelta(days=env_int("ARCHIVE_RENEWAL_DAYS", 90))
    # Where fonts for the text of visible signatures lie; the first folder that has one wins.
    SIGNATURE_FONT_FOLDERS = env_list(
        "SIGNATURE_FONT_FOLDERS", "/usr/share/fonts/truetype/noto,/usr/share/fonts/opentype/unifont"
    )
    # Origins that certificates, or operators for webhooks, may name although they are private: scheme://host:port.
    PRIVATE_ORIGINS = env_list("PRIVATE_ORIGINS")
    TRUST_ANCHORS_FILE = os.environ.get("TRUST_ANCHORS_FILE")
    TRUSTED_LIST_SIGNERS_FILE = os.environ.get("TRUSTED_LIST_SIGNERS_FILE")

# --- Where documents lie, encrypted: a folder each, or a bucket of an S3-compatible store --------------------------
DOCUMENT_STORE = env_str("DOCUMENT_STORE", "folder")
if DOCUMENT_STORE not in {"folder", "s3"}:
    raise ConfigurationError("DOCUMENT_STORE must be 'folder' or 's3'")
if DOCUMENT_STORE == "s3":
    S3_BUCKET = env_str("S3_BUCKET")
    S3_ENDPOINT_URL = env_str("S3_ENDPOINT_URL", "")
    S3_REGION = env_str("S3_REGION", "")
    # path or virtual: the bucket's name in the path, or before the host.
    S3_ADDRESSING = env_str("S3_ADDRESSING", "path")
    # Empty: as boto3 finds them, such as by the machine's own role.
    S3_ACCESS_KEY_ID = env_str("S3_ACCESS_KEY_ID", "")
    S3_SECRET_ACCESS_KEY = env_secret("S3_SECRET_ACCESS_KEY") if S3_ACCESS_KEY_ID else ""


def _document_store(role: str) -> dict[str, Any]:
    if DOCUMENT_STORE == "s3":
        return {"BACKEND": "config.object_storage.Bucket", "OPTIONS": {"location": role}}
    return {"BACKEND": "config.storage.Folder", "OPTIONS": {"setting": f"{role.upper()}_DOCUMENTS_DIR"}}


STORAGES = {
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    **{f"{role}-documents": _document_store(role) for role in ("gateway", "signapp") if role in ROLES},
}

# --- signapp --------------------------------------------------------------------------------------------------
if "signapp" in ROLES:
    # Where people read how to trust the signatures that they get.
    TRUST_PAGE_URL = env_str("TRUST_PAGE_URL", f"{RSSP_URL}/pki/")
    SIGNAPP_DOCUMENT_KEYS = env_secret(
        "SIGNAPP_DOCUMENT_KEYS", development=_DEVELOPMENT_SECRETS, make=_fernet_key
    ).split(",")
    # The policy of the certificates that signers ask for here.
    CERTIFICATE_POLICY = env_str("CERTIFICATE_POLICY", "demonstration")
    SIGNAPP_DOCUMENTS_DIR = VAR_DIR / "signapp-documents"
    # How many documents one person's library holds.
    LIBRARY_DOCUMENTS = env_int("LIBRARY_DOCUMENTS", 1000)
    # How long an envelope waits for its signers, a mailed link works, and somebody is silent before a reminder.
    ENVELOPE_EXPIRY_DAYS = env_int("ENVELOPE_EXPIRY_DAYS", 30)
    INVITATION_DAYS = env_int("INVITATION_DAYS", 14)
    REMINDER_DAYS = env_int("REMINDER_DAYS", 3)
    ENVELOPE_DOCUMENTS = env_int("ENVELOPE_DOCUMENTS", 20)
    ENVELOPE_RECIPIENTS = env_int("ENVELOPE_RECIPIENTS", 50)
    # The most people that one list may be sent to.
    BULK_ROWS = env_int("BULK_ROWS", 10_000)
    # How long what was thrown away can be put back, and what has ended is kept; 0 keeps it for ever.
    BIN_DAYS = env_int("BIN_DAYS", 30)
    KEEP_DAYS = env_int("KEEP_DAYS", 0)
    # How much one file of an export holds before the next one is begun.
    EXPORT_MEGABYTES = env_int("EXPORT_MEGABYTES", 1000)

# --- Jobs -----------------------------------------------------------------------------------------------------
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
if os.environ.get("REDIS_URL"):
    CELERY_BROKER_URL = env_secret("REDIS_URL")
else:
    _BROKER = VAR_DIR / "broker"
    for _folder in ("queue", "control"):
        (_BROKER / _folder).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_URL = "wholefiles://"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_BROKER / "queue"),
        "data_folder_out": str(_BROKER / "queue"),
        "control_folder": str(_BROKER / "control"),
        "polling_interval": 0.05,
    }
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULE = {}
if "gateway" in ROLES:
    CELERY_BEAT_SCHEDULE["sweep jobs"] = {
        "task": "gateway.sweep_jobs",
        "schedule": schedule(timedelta(seconds=env_int("JOB_SWEEP_SECONDS", 10))),
    }
    CELERY_BEAT_SCHEDULE["remove stale files"] = {
        "task": "gateway.remove_stale_files",
        "schedule": schedule(timedelta(hours=1)),
    }
    CELERY_BEAT_SCHEDULE["renew archives"] = {
        "task": "gateway.renew_archives",
        "schedule": schedule(timedelta(seconds=env_int("ARCHIVE_ROUND_SECONDS", 3600))),
    }

if "rssp" in ROLES:
    CELERY_BEAT_SCHEDULE["sweep the ledger"] = {
        "task": "rssp.sweep_ledger",
        "schedule": schedule(timedelta(seconds=env_int("LEDGER_SWEEP_SECONDS", 20))),
    }
    CELERY_BEAT_SCHEDULE["write down where the audit ends"] = {
        "task": "rssp.checkpoint_audit",
        "schedule": schedule(timedelta(seconds=env_int("AUDIT_CHECKPOINT_SECONDS", 20))),
    }
    CELERY_BEAT_SCHEDULE["sweep calls"] = {
        "task": "rssp.sweep_calls",
        "schedule": schedule(timedelta(seconds=env_int("CALL_SWEEP_SECONDS", 20))),
    }
    CELERY_BEAT_SCHEDULE["notify clients"] = {
        "task": "rssp.notify_clients",
        "schedule": schedule(timedelta(seconds=env_int("NOTIFICATION_SECONDS", 2))),
    }
    CELERY_BEAT_SCHEDULE["clear old time-stamps' records"] = {
        "task": "rssp.clear_timestamps",
        "schedule": schedule(timedelta(hours=1)),
    }

if "rssp" in ROLES:
    CELERY_BEAT_SCHEDULE["warn of certificates that end soon"] = {
        "task": "rssp.warn_of_expiry",
        "schedule": schedule(timedelta(days=1)),
    }
    CELERY_BEAT_SCHEDULE["sweep requests for certificates"] = {
        "task": "rssp.sweep_requests",
        "schedule": schedule(timedelta(seconds=env_int("REQUEST_SWEEP_SECONDS", 60))),
    }
    CELERY_BEAT_SCHEDULE["clear what is over at rssp"] = {
        "task": "rssp.clear_expired",
        "schedule": schedule(timedelta(hours=1)),
    }
    CELERY_BEAT_SCHEDULE["renew revocation lists"] = {
        "task": "rssp.renew_revocation_lists",
        "schedule": schedule(timedelta(seconds=env_int("CRL_RENEWAL_SECONDS", 30))),
    }

if "rssp" in ROLES:
    CELERY_BEAT_SCHEDULE["tend the keys"] = {
        "task": "rssp.tend_keys",
        "schedule": schedule(timedelta(seconds=env_int("KEY_TEND_SECONDS", 30))),
    }

if "authz" in ROLES:
    CELERY_BEAT_SCHEDULE["tell of what happened to accounts"] = {
        "task": "authz.tell_of_events",
        "schedule": schedule(timedelta(minutes=1)),
    }
    CELERY_BEAT_SCHEDULE["tell clients that logins ended"] = {
        "task": "authz.tell_of_logouts",
        "schedule": schedule(timedelta(seconds=10)),
    }
    CELERY_BEAT_SCHEDULE["clear what has expired"] = {
        "task": "authz.clear_expired",
        "schedule": schedule(timedelta(hours=1)),
    }
if "signapp" in ROLES:
    CELERY_BEAT_SCHEDULE["clear sessions and stale files"] = {
        "task": "signapp.clear_expired",
        "schedule": schedule(timedelta(hours=1)),
    }
    CELERY_BEAT_SCHEDULE["empty bins and delete what is old"] = {
        "task": "signapp.tend_retention",
        "schedule": schedule(timedelta(hours=1)),
    }
    CELERY_BEAT_SCHEDULE["tend envelopes"] = {
        "task": "signapp.tend_envelopes",
        "schedule": schedule(timedelta(seconds=env_int("ENVELOPE_TEND_SECONDS", 30))),
    }

# --- E-mail ---------------------------------------------------------------------------------------------------
# In development mails lie in files; nothing is ever written to a log or a terminal.
DEFAULT_FROM_EMAIL = env_str("DEFAULT_FROM_EMAIL", f"paraph@{urlsplit(BASE_URL).hostname}")
EMAIL_HOST = env_str("EMAIL_HOST", "localhost")
EMAIL_PORT = env_int("EMAIL_PORT", 25)
EMAIL_HOST_USER = env_str("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env_secret("EMAIL_HOST_PASSWORD") if EMAIL_HOST_USER else ""
EMAIL_USE_TLS = env_bool("EMAIL_USE_TLS", default=False)
EMAIL_TIMEOUT = 10
EMAIL_BACKEND = f"django.core.mail.backends.{'filebased' if DEVELOPMENT else 'smtp'}.EmailBackend"
EMAIL_FILE_PATH = VAR_DIR / "mail"
if DEVELOPMENT:
    EMAIL_FILE_PATH.mkdir(mode=0o700, parents=True, exist_ok=True)

# --- Logs -----------------------------------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "config.logs.LineFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env_str("LOG_LEVEL", "INFO")},
    "loggers": {"httpx": {"level": "WARNING"}, "httpcore": {"level": "WARNING"}},
}
(VAR_DIR / "tmp").mkdir(mode=0o700, parents=True, exist_ok=True)
