"""What Django composes a process of."""

from config.env import env_secret
from config.settings.development import secrets_folder
from config.settings.process import ROLES

SECRET_KEY = env_secret("SECRET_KEY", development=secrets_folder)
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
API_PREFIXES = ("/csc/", "/rssp/operators/v1/")
APPEND_SLASH = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
