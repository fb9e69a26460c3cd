"""Documents: how large they may be, and where gateway and signapp keep them, encrypted: a folder each, or a bucket of
an S3-compatible store."""

from typing import Any

from config.env import ConfigurationError, env_int, env_secret, env_str
from config.settings.process import ROLES, VAR_DIR

MAX_DOCUMENT_BYTES = env_int("MAX_DOCUMENT_BYTES", 500_000_000)
MAX_DOCUMENT_PAGES = env_int("MAX_DOCUMENT_PAGES", 5000)
FILE_UPLOAD_TEMP_DIR = str(VAR_DIR / "tmp")
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
(VAR_DIR / "tmp").mkdir(mode=0o700, parents=True, exist_ok=True)

DOCUMENT_STORE = env_str("DOCUMENT_STORE", "folder")
if DOCUMENT_STORE not in {"folder", "s3"}:
    raise ConfigurationError("DOCUMENT_STORE must be 'folder' or 's3'")
if DOCUMENT_STORE == "s3":
    S3_BUCKET = env_str("S3_BUCKET")
    S3_ENDPOINT_URL = env_str("S3_ENDPOINT_URL", "")
    S3_REGION = env_str("S3_REGION", "")
    # path or virtual: the bucket's name in the path, or before the host.
    S3_ADDRESSING = env_str("S3_ADDRESSING", "path")
    # Empty: as boto3 finds them, such as by the machine's own role.
    S3_ACCESS_KEY_ID = env_str("S3_ACCESS_KEY_ID", "")
    S3_SECRET_ACCESS_KEY = env_secret("S3_SECRET_ACCESS_KEY") if S3_ACCESS_KEY_ID else ""


def _document_store(role: str) -> dict[str, Any]:
    if DOCUMENT_STORE == "s3":
        return {"BACKEND": "config.object_storage.Bucket", "OPTIONS": {"location": role}}
    return {"BACKEND": "config.storage.Folder", "OPTIONS": {"setting": f"{role.upper()}_DOCUMENTS_DIR"}}


STORAGES = {
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    **{f"{role}-documents": _document_store(role) for role in ("gateway", "signapp") if role in ROLES},
}
