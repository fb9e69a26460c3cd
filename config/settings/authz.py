"""authz alone: the provider of OAuth 2 and OpenID. What other roles have to know of it is in oauth.py, accounts.py and
passkeys.py."""

from config.env import env_secret
from config.settings.development import ec_key, rsa_key, secrets_folder
from config.settings.oauth import ISSUER
from config.settings.process import DEVELOPMENT

# By which what this server signs is signed where a client wants no RSA, or is held to the FAPI profile.
OIDC_EC_PRIVATE_KEY = env_secret("OIDC_EC_PRIVATE_KEY", development=secrets_folder, make=ec_key)
OAUTH2_PROVIDER_APPLICATION_MODEL = "authz.Application"
OAUTH2_PROVIDER_ACCESS_TOKEN_MODEL = "authz.AccessToken"
OAUTH2_PROVIDER_REFRESH_TOKEN_MODEL = "authz.RefreshToken"
OAUTH2_PROVIDER_ID_TOKEN_MODEL = "authz.IDToken"
OAUTH2_PROVIDER_GRANT_MODEL = "authz.Grant"
OAUTH2_PROVIDER = {
    "OIDC_ENABLED": True,
    "OIDC_ISS_ENDPOINT": ISSUER,
    "OIDC_RSA_PRIVATE_KEY": env_secret("OIDC_RSA_PRIVATE_KEY", development=secrets_folder, make=rsa_key),
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
