"""Where each role is: everything derives from BASE_URL (docs/protocols.md, section 1)."""

from urllib.parse import urlsplit

from config.env import env_str
from config.settings.process import DEVELOPMENT, ROLES

BASE_URL = env_str("BASE_URL", "http://localhost:8000" if DEVELOPMENT else None).rstrip("/")
AUTHZ_URL = env_str("AUTHZ_URL", BASE_URL).rstrip("/")
RSSP_URL = env_str("RSSP_URL", BASE_URL).rstrip("/")
GATEWAY_URL = env_str("GATEWAY_URL", BASE_URL).rstrip("/")
SIGNAPP_URL = env_str("SIGNAPP_URL", BASE_URL).rstrip("/")
role_urls = {"signapp": SIGNAPP_URL, "authz": AUTHZ_URL, "gateway": GATEWAY_URL, "rssp": RSSP_URL}
ALLOWED_HOSTS = sorted({urlsplit(role_urls[role]).hostname or "" for role in ROLES})
if DEVELOPMENT:
    ALLOWED_HOSTS += ["127.0.0.1"]
HTTPS = all(role_urls[role].startswith("https://") for role in ROLES)

CSC_BASE_URL = f"{RSSP_URL}/csc"
RSSP_RESOURCE = f"{RSSP_URL}/csc"
GATEWAY_API_URL = f"{GATEWAY_URL}/gateway/v1"
GATEWAY_RESOURCE = f"{GATEWAY_URL}/gateway"
