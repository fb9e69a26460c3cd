"""rssp alone: the HSM and its keys, the certification authority, the API and explicit mode, time-stamping."""

import os
from datetime import timedelta

from config.env import env_bool, env_counts, env_int, env_list, env_pairs, env_secret, env_str
from config.settings.addresses import RSSP_URL, SIGNAPP_URL
from config.settings.certificates import IDENTITY_ISSUER
from config.settings.development import fernet_key, mac_key, pin, secrets_folder
from config.settings.process import DEVELOPMENT, VAR_DIR

# --- The HSM, keys and the ledger -----------------------------------------------------------------------------
PKCS11_MODULE = env_str("PKCS11_MODULE", "/usr/lib/softhsm/libsofthsm2.so")
PKCS11_TOKEN_LABEL = env_str("PKCS11_TOKEN_LABEL", "paraph")
PKCS11_PIN = env_secret("PKCS11_PIN", development=secrets_folder, make=pin)
# Where a SoftHSM token lives; read by SoftHSM itself when its library is loaded, ignored by any other HSM.
SOFTHSM2_DIR = VAR_DIR / "softhsm"
os.environ.setdefault("SOFTHSM2_CONF", str(SOFTHSM2_DIR / "softhsm2.conf"))
HSM_MAX_SESSIONS = env_int("HSM_MAX_SESSIONS", 32)
HSM_WAIT_SECONDS = env_int("HSM_WAIT_SECONDS", 5)
# Where new keys are kept: "wrapped" by a key of the token's, in the database, or "resident" in the token.
KEY_STORAGE = env_str("KEY_STORAGE", "wrapped")
KEY_CACHE_SECONDS = env_int("KEY_CACHE_SECONDS", 0)
KEY_CACHE_KEYS = env_int("KEY_CACHE_KEYS", 16)
KEY_POOL = env_counts("KEY_POOL", "rsa-2048=4,rsa-3072=1")
HEALTH_SECONDS = env_int("HEALTH_SECONDS", 5)
HEALTH_TEST_SIGNATURE = env_bool("HEALTH_TEST_SIGNATURE", default=True)
# Comma-separated version:secret; the first makes the ledger's and the audit's codes, all verify.
LEDGER_MAC_KEY = env_secret("LEDGER_MAC_KEY", development=secrets_folder, make=mac_key).split(",")

# --- The certification authority ------------------------------------------------------------------------------
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
# Who issues, by policy: built-in (where it is not named), cmp or by-hand.
CERTIFICATE_ISSUERS = env_pairs("CERTIFICATE_ISSUERS")
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

# --- Who gets a certificate, and what its operators do --------------------------------------------------------
# An OpenID provider that says who asks for a certificate (docs/registration.md), whose client rssp is; which of its
# claims are which attributes, and what acr is close enough a look.
IDENTITY_CLIENT_ID = env_str("IDENTITY_CLIENT_ID", "")
IDENTITY_CLIENT_SECRET = env_secret("IDENTITY_CLIENT_SECRET", development=None) if IDENTITY_ISSUER else ""
IDENTITY_REDIRECT_URI = f"{SIGNAPP_URL}/account/identified"
IDENTITY_SCOPES = env_list("IDENTITY_SCOPES", "openid,profile")
IDENTITY_ACR_VALUES = env_list("IDENTITY_ACR_VALUES")
IDENTITY_CLAIMS = env_pairs("IDENTITY_CLAIMS", "given_name=given_name,surname=family_name,country=address.country")
REQUEST_DAYS = env_int("REQUEST_DAYS", 30)
# How long a verification stands behind certificates for one signature each, and how many of these one person may
# have that wait for an approval.
SHORT_LIVED_DAYS = env_int("SHORT_LIVED_DAYS", 365)
PREPARED_CREDENTIALS = env_int("PREPARED_CREDENTIALS", 10)
# Who is told, once a day, which certificates end within that many days.
OPERATOR_ADDRESSES = env_list("OPERATOR_ADDRESSES")
EXPIRY_WARNING_DAYS = env_int("EXPIRY_WARNING_DAYS", 30)
# Where a second operator must confirm: requests (approving a request), lifecycle (ending keys and certificates).
FOUR_EYES = env_list("FOUR_EYES")
# Clients that the operators' API lets in, by client_id; with =subject the person who answers for what the client
# does without anybody.
OPERATOR_API_CLIENTS = env_pairs("OPERATOR_API_CLIENTS")

# --- The status of certificates -------------------------------------------------------------------------------
# How long a revocation list and an OCSP answer are in force; both are renewed when half of that is over.
CRL_LIFETIME = timedelta(hours=env_int("CRL_LIFETIME_HOURS", 24))
OCSP_LIFETIME = timedelta(minutes=env_int("OCSP_LIFETIME_MINUTES", 60))
# How many certificates share a revocation list.
CRL_PARTITION_SIZE = env_int("CRL_PARTITION_SIZE", 100_000)
# Answers that a web process signs in a minute: for one address, and for all.
OCSP_SIGNATURES_PER_ADDRESS = env_int("OCSP_SIGNATURES_PER_ADDRESS", 60)
OCSP_SIGNATURES = env_int("OCSP_SIGNATURES", 6000)

# --- The API --------------------------------------------------------------------------------------------------
RSSP_DESCRIPTION = env_str("RSSP_DESCRIPTION", "")
# A PNG or JPEG of at most 256 x 256 pixels (CSC API, info).
RSSP_LOGO = env_str("RSSP_LOGO", f"{RSSP_URL}/static/img/mark-180.png")
# The level of assurance (acr) that a person's token must have at rssp; empty: any (RFC 9470).
REQUIRED_ACR = env_str("REQUIRED_ACR", "")
# How old an access token of EXTERNAL_ISSUER's of scope credential may be.
EXTERNAL_APPROVAL_SECONDS = env_int("EXTERNAL_APPROVAL_SECONDS", 300)
# Calls of the API in a minute that a web process answers: for one client, and for one address without a token.
CSC_CALLS_PER_CLIENT = env_int("CSC_CALLS_PER_CLIENT", 6000)
CSC_CALLS_PER_ADDRESS = env_int("CSC_CALLS_PER_ADDRESS", 600)
# Mode A of signHash: how long a result is kept unless the client says, how long at most, how many calls one process
# holds, and hosts that may be told although they are private or without TLS.
RESULT_VALIDITY = timedelta(seconds=env_int("RESULT_VALIDITY_SECONDS", 600))
LONGEST_RESULT_VALIDITY = timedelta(seconds=env_int("LONGEST_RESULT_VALIDITY_SECONDS", 3600))
MOST_WAITING_CALLS = env_int("MOST_WAITING_CALLS", 100)
RESPONSE_URI_HOSTS = tuple(env_list("RESPONSE_URI_HOSTS"))

# --- Explicit mode, and approvals that a call waits for -------------------------------------------------------
# Comma-separated Fernet keys: the first one seals what explicit mode's factors are known by, all unseal.
RSSP_FACTOR_KEYS = env_secret("RSSP_FACTOR_KEYS", development=secrets_folder, make=fernet_key).split(",")
RSSP_FACTOR_TRIES = env_int("RSSP_FACTOR_TRIES", 5)
RSSP_FACTOR_LOCK_SECONDS = env_int("RSSP_FACTOR_LOCK_SECONDS", 15 * 60)
RSSP_OTP_SECONDS = env_int("RSSP_OTP_SECONDS", 5 * 60)
RSSP_OTP_RESEND_SECONDS = env_int("RSSP_OTP_RESEND_SECONDS", 30)
RSSP_SAD_SECONDS = env_int("RSSP_SAD_SECONDS", 5 * 60)
RSSP_APPROVAL_WAIT_SECONDS = env_int("RSSP_APPROVAL_WAIT_SECONDS", 60)
RSSP_APPROVAL_WAITS = env_int("RSSP_APPROVAL_WAITS", 4)

# --- Time-stamping (docs/timestamping.md) ---------------------------------------------------------------------
TSA_TIME_SOURCE = env_str("TSA_TIME_SOURCE", "none" if DEVELOPMENT else "kernel")
TSA_POLICY_OID = env_str("TSA_POLICY_OID", "")
TSA_ACCURACY = timedelta(milliseconds=env_int("TSA_ACCURACY_MILLISECONDS", 1000))
TSA_LARGEST_CLOCK_STEP = timedelta(milliseconds=env_int("TSA_LARGEST_CLOCK_STEP_MILLISECONDS", 2000))
TSA_TOKENS_PER_MINUTE = env_int("TSA_TOKENS_PER_MINUTE", 600)
TSA_REQUIRES_BEARER = env_bool("TSA_REQUIRES_BEARER", default=False)
TSA_RETENTION = timedelta(days=env_int("TSA_RETENTION_DAYS", 365))
