"""Who logs people in and gives tokens out (authz, or a provider in its place), and which clients roles are there."""

from urllib.parse import urlsplit

from config.env import env_bool, env_list, env_secret, env_str
from config.settings.addresses import AUTHZ_URL, GATEWAY_URL, SIGNAPP_URL, role_urls
from config.settings.development import secrets_folder
from config.settings.process import DEVELOPMENT, ROLES

# --- The issuer -----------------------------------------------------------------------------------------------
# An OpenID provider in authz's place (docs/operations/external-identity-provider.md), letter for letter as it names
# itself.
EXTERNAL_ISSUER = env_str("EXTERNAL_ISSUER", "")
ISSUER = EXTERNAL_ISSUER or f"{AUTHZ_URL}/authz"
LOGIN_URL = f"{ISSUER}/login"
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

# --- Clients of the roles --------------------------------------------------------------------------------------
SIGNAPP_CLIENT_ID = env_str("SIGNAPP_CLIENT_ID", "paraph-signapp")
GATEWAY_CLIENT_ID = env_str("GATEWAY_CLIENT_ID", "paraph-gateway")
RSSP_CLIENT_ID = env_str("RSSP_CLIENT_ID", "paraph-rssp")
if {"signapp", "authz"} & set(ROLES):
    SIGNAPP_CLIENT_SECRET = env_secret("SIGNAPP_CLIENT_SECRET", development=secrets_folder)
if {"gateway", "authz"} & set(ROLES):
    GATEWAY_CLIENT_SECRET = env_secret("GATEWAY_CLIENT_SECRET", development=secrets_folder)
if {"rssp", "authz"} & set(ROLES):
    RSSP_CLIENT_SECRET = env_secret("RSSP_CLIENT_SECRET", development=secrets_folder)
LOGIN_REDIRECT_URI = f"{SIGNAPP_URL}/login/callback"
APPROVAL_REDIRECT_URI = f"{SIGNAPP_URL}/approval/callback"
GATEWAY_REDIRECT_URI = f"{GATEWAY_URL}/gateway/approval/callback"
# The admin of a process that does not serve authz logs its operators in at the issuer.
OPERATORS_CLIENT_ID = "paraph-operators"
OPERATORS_CLIENT_SECRET = env_secret("OPERATORS_CLIENT_SECRET", development=secrets_folder)
OPERATORS_REDIRECT_URIS = sorted({f"{url}/admin/callback" for url in role_urls.values() if url != AUTHZ_URL})

# --- Other clients ---------------------------------------------------------------------------------------------
# auth/login of the CSC API: a service token for a password alone, issued to a client that nobody else can be.
CSC_LOGIN = env_bool("CSC_LOGIN", default=DEVELOPMENT)
CSC_LOGIN_CLIENT_ID = "paraph-csc-login"
# Whether the client of the command line (paraph_client) may log people in: a public one, so any program may be it.
COMMAND_LINE_CLIENT = env_bool("COMMAND_LINE_CLIENT", default=DEVELOPMENT)
COMMAND_LINE_CLIENT_ID = "paraph-cli"
# authz's own, by which it asks rssp for a person's credentials while that person chooses.
CHOOSING_CLIENT_ID = "paraph-choosing"
# Hosts at which clients may keep their keys, or be told of logouts, although they are private or without TLS.
CLIENT_URI_HOSTS = tuple(env_list("CLIENT_URI_HOSTS"))

# --- What is asked of tokens and of whoever brings them ---------------------------------------------------------
# Whether what is asked of auth/ and oauth2/ below {CSC_BASE_URL}/v1/ and /v2/ reaches authz: by itself, or by the proxy
# in front.
CSC_AUTH = env_bool("CSC_AUTH", default={"authz", "rssp"} <= set(ROLES))
# DPoP proofs without a nonce of this server's own are refused (RFC 9449, section 8).
DPOP_NONCE_REQUIRED = env_bool("DPOP_NONCE_REQUIRED", default=False)
# The header in which the trusted proxy hands a client's TLS certificate over, for RFC 8705; empty: nobody does.
CLIENT_CERTIFICATE_HEADER = env_str("CLIENT_CERTIFICATE_HEADER", "")
