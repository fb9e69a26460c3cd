"""What pages are made of, what they are called and look like, and which language they speak."""

from config.env import env_str
from config.settings.addresses import HTTPS
from config.settings.process import BASE_DIR, VAR_DIR
from config.settings.sessions import cookie_prefix

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

# --- What the product is called and looks like, until an operator says otherwise in the administration ---------------
PRODUCT_NAME = env_str("PRODUCT_NAME", "Paraph")
PRODUCT_ACCENT = env_str("PRODUCT_ACCENT", "")  # #rrggbb; empty: the stylesheet's own
# A callable that answers it (name, accent, logo): how a role asks, which does not know the composition.
APPEARANCE = "config.appearance.read_product"

# --- Languages ------------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
USE_I18N = True
# Each by its own name for itself. Without a catalogue below locale/ a language is none of ours.
LANGUAGES = [("en", "English"), ("fr", "Français")]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_NAME = f"{cookie_prefix}paraph_language"
LANGUAGE_COOKIE_AGE = 365 * 24 * 60 * 60
LANGUAGE_COOKIE_SECURE = HTTPS
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
# What an application asked for (`lang`, `ui_locales`), below /authz/ alone and until the browser is closed.
ASKED_LANGUAGE_COOKIE_NAME = f"{cookie_prefix}paraph_asked_language"
# What programs and operators read is in LANGUAGE_CODE, whatever a browser asks for.
ONE_LANGUAGE = ("/csc/", "/gateway/", "/pki/", "/rssp/", "/admin/", "/.well-known/")
# But for the pages among them that are for everybody.
EVERY_LANGUAGE = ("/pki/",)

# --- Static files ---------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_MIMETYPES = {".mjs": "text/javascript", ".wasm": "application/wasm"}
