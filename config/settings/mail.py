"""What goes out to people: e-mail."""

from urllib.parse import urlsplit

from config.env import env_bool, env_int, env_secret, env_str
from config.settings.addresses import BASE_URL
from config.settings.process import DEVELOPMENT, VAR_DIR

# What a role sends mails by.
LETTERS = "config.letters.send_letter"
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
