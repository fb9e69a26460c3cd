"""Passkeys: people log in with them at authz, and approve signatures with them, which rssp verifies for itself."""

from urllib.parse import urlsplit

from config.env import env_list, env_str
from config.settings.addresses import AUTHZ_URL

WEBAUTHN_RP_ID = env_str("WEBAUTHN_RP_ID", urlsplit(AUTHZ_URL).hostname)
WEBAUTHN_ORIGIN = AUTHZ_URL
APPROVAL_RP_ID = WEBAUTHN_RP_ID
APPROVAL_ORIGIN = WEBAUTHN_ORIGIN
# The kinds of authenticator that may be enrolled (AAGUIDs); any, where none is named. Which ones they are is proven by
# attestation under the certificates of PASSKEY_ATTESTATION_ROOTS, a PEM file.
PASSKEY_AAGUIDS = [item.lower() for item in env_list("PASSKEY_AAGUIDS")]
PASSKEY_ATTESTATION_ROOTS = env_str("PASSKEY_ATTESTATION_ROOTS", "")
