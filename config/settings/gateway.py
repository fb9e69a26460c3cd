"""gateway alone: what it keeps for whom, and what its signatures are."""

import os
from datetime import timedelta

from config.env import env_int, env_list, env_secret, env_str
from config.settings.addresses import RSSP_URL
from config.settings.development import fernet_key, secrets_folder
from config.settings.process import VAR_DIR

# Comma-separated Fernet keys, the first one wraps, all unwrap.
GATEWAY_DOCUMENT_KEYS = env_secret("GATEWAY_DOCUMENT_KEYS", development=secrets_folder, make=fernet_key).split(",")
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
