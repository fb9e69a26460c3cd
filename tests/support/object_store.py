"""An S3-compatible store in a process of its own (moto's server), on a free port of this machine."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from scripts.instance import free_port

_START_SECONDS = 60
BUCKET = "paraph"


@dataclass
class ObjectStore:
    """``stop`` and ``start`` are a fault and its end; what was stored goes with the process."""

    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> dict[str, str]:
        """As variables of the environment."""
        return {
            "DOCUMENT_STORE": "s3",
            "S3_BUCKET": BUCKET,
            "S3_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "S3_REGION": "us-east-1",
            "S3_ADDRESSING": "path",
            "S3_ACCESS_KEY_ID": "paraph",
            "S3_SECRET_ACCESS_KEY": "of a test",
        }

    @property
    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.settings["S3_ENDPOINT_URL"],
            region_name=self.settings["S3_REGION"],
            aws_access_key_id=self.settings["S3_ACCESS_KEY_ID"],
            aws_secret_access_key=self.settings["S3_SECRET_ACCESS_KEY"],
            config=Config(connect_timeout=1, retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    def names(self) -> list[str]:
        return [item["Key"] for item in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", ())]

    def start(self) -> None:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.client.create_bucket(Bucket=BUCKET)
                return
            except BotoCoreError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    store = ObjectStore(free_port())
    try:
        store.start()
        yield store
    finally:
        store.stop()
