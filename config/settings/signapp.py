"""signapp alone: what its people may keep and send, and for how long."""

from config.env import env_int, env_secret, env_str
from config.settings.addresses import RSSP_URL
from config.settings.development import fernet_key, secrets_folder
from config.settings.process import VAR_DIR

# Where people read how to trust the signatures that they get.
TRUST_PAGE_URL = env_str("TRUST_PAGE_URL", f"{RSSP_URL}/pki/")
SIGNAPP_DOCUMENT_KEYS = env_secret("SIGNAPP_DOCUMENT_KEYS", development=secrets_folder, make=fernet_key).split(",")
# The policy of the certificates that signers ask for here.
CERTIFICATE_POLICY = env_str("CERTIFICATE_POLICY", "demonstration")
SIGNAPP_DOCUMENTS_DIR = VAR_DIR / "signapp-documents"
# How many documents one person's library holds.
LIBRARY_DOCUMENTS = env_int("LIBRARY_DOCUMENTS", 1000)
# How long an envelope waits for its signers, a mailed link works, and somebody is silent before a reminder.
ENVELOPE_EXPIRY_DAYS = env_int("ENVELOPE_EXPIRY_DAYS", 30)
INVITATION_DAYS = env_int("INVITATION_DAYS", 14)
REMINDER_DAYS = env_int("REMINDER_DAYS", 3)
ENVELOPE_DOCUMENTS = env_int("ENVELOPE_DOCUMENTS", 20)
ENVELOPE_RECIPIENTS = env_int("ENVELOPE_RECIPIENTS", 50)
# The most people that one list may be sent to.
BULK_ROWS = env_int("BULK_ROWS", 10_000)
# How long what was thrown away can be put back, and what has ended is kept; 0 keeps it for ever.
BIN_DAYS = env_int("BIN_DAYS", 30)
KEEP_DAYS = env_int("KEEP_DAYS", 0)
# How much one file of an export holds before the next one is begun.
EXPORT_MEGABYTES = env_int("EXPORT_MEGABYTES", 1000)
