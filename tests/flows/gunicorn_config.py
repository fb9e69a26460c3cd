"""Gunicorn's configuration in these tests: each web process counts its own PKCS#11 calls, and dies or waits where a
test says so. The product's code is the one that everybody runs."""

import os
from typing import Any


def post_fork(_server: Any, _worker: Any) -> None:
    if log := os.environ.get("PKCS11SPY_OUTPUT"):
        # The spy opens it with the module, which happens in this process and later. A name of its own for each
        # process, because the spy does not write whole lines.
        os.environ["PKCS11SPY_OUTPUT"] = f"{log}.{os.getpid()}"
    if folder := os.environ.get("TEST_CALLS_DIR"):
        from tests.flows import witness

        witness.install(folder, os.environ["PKCS11_MODULE"])


def post_worker_init(_worker: Any) -> None:
    if folder := os.environ.get("TEST_FAULTS_DIR"):
        from tests.flows import faults

        faults.install(folder)
