"""The same in a bucket of an S3-compatible store, by django-storages and boto3 (requirements-s3.txt).

Every fault of the store is an OSError: who calls knows Django's storage API alone.
"""

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, cast

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files.base import File
from storages.backends.s3 import S3Storage

if TYPE_CHECKING:
    _File = File[bytes]
else:
    _File = File

_PART = 8 * 1024 * 1024
# So much of a file that comes is held in memory, the rest in a file without a name.
_MEMORY = 1024 * 1024


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except (Boto3Error, BotoCoreError, ClientError) as error:
        raise OSError(errno.EIO, f"the documents' store does not answer as it should: {type(error).__name__}") from None


class Bucket(S3Storage):  # type: ignore[misc]  # django-storages has no types
    """Objects below ``location`` of the bucket."""

    def __init__(self, *, location: str) -> None:
        # Two parts at once: as quick as more, for a fraction of the memory.
        transfer = TransferConfig(multipart_threshold=_PART, multipart_chunksize=_PART, max_concurrency=2)
        patience = Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"max_attempts": 3, "mode": "standard"},
            s3={"addressing_style": settings.S3_ADDRESSING},
        )
        super().__init__(
            bucket_name=settings.S3_BUCKET,
            endpoint_url=settings.S3_ENDPOINT_URL or None,
            region_name=settings.S3_REGION or None,
            access_key=settings.S3_ACCESS_KEY_ID or None,
            secret_key=settings.S3_SECRET_ACCESS_KEY or None,
            location=location,
            default_acl=None,
            file_overwrite=True,
            max_memory_size=_MEMORY,
            transfer_config=transfer,
            client_config=patience,
        )

    def open(self, name: str, mode: str = "rb") -> "File[Any]":
        if mode == "wb":
            return NewObject(self, name)
        with _faults():
            found: File[Any] = super().open(name, mode)
            found.seek(0)  # fetches it, so that no fault comes later
            return found

    def begin(self, name: str) -> "File[Any]":
        """As `open` with ``wb``: the store keeps what it has taken."""
        return NewObject(self, name)

    def settle(self) -> None:
        """All files that were closed by now are kept."""

    def upload(self, name: str, file: IO[bytes]) -> None:
        with _faults():
            key = self._normalize_name(name)
            self.bucket.Object(key).upload_fileobj(file, Config=self.transfer_config)

    def delete(self, name: str) -> None:
        with _faults():
            super().delete(name)

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        with _faults():
            found: tuple[list[str], list[str]] = super().listdir(path)
            return found

    def get_modified_time(self, name: str) -> datetime:
        with _faults():
            found: datetime = super().get_modified_time(name)
            return found


class NewObject(_File):
    """In the bucket once it is closed; raises OSError, and then there is nothing of it."""

    def __init__(self, bucket: Bucket, name: str) -> None:
        file = tempfile.TemporaryFile("w+b", dir=settings.FILE_UPLOAD_TEMP_DIR)  # noqa: SIM115  (closed with this)
        super().__init__(file, name)
        self._bucket = bucket

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            cast(IO[bytes], self.file).close()

    def close(self) -> None:
        file = cast(IO[bytes], self.file)
        if file.closed:
            return
        with file:
            file.seek(0)
            self._bucket.upload(str(self.name), file)
