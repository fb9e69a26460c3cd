"""Who has an account, and how passwords are kept."""

from config.env import env_bool
from config.settings.process import DEVELOPMENT, ROLES

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
# A sign-up begins at a link in a mail, so that it tells nobody whose address has an account.
SIGN_UP_BY_LINK = env_bool("SIGN_UP_BY_LINK", default=not DEVELOPMENT)
