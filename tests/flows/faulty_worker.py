"""Celery's entry in tests of killing: the product's worker, which dies at named points of a batch where a test says so
(`faults`)."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celery.signals import celeryd_after_setup, task_prerun, worker_shutting_down
from django.conf import settings

from config.celery import app as app
from tests.flows.faults import strike

BEFORE_PREPARING, PREPARED_FILE_STORED = "before-preparing", "prepared-file-stored"
BEFORE_PREPARED_ROWS, AFTER_PREPARING = "before-prepared-rows", "after-preparing"
BEFORE_ASKING, AFTER_ASKING = "before-asking", "after-asking"
BEFORE_FINISHING, SIGNED_FILE_STORED = "before-finishing", "signed-file-stored"
BEFORE_SIGNED_ROWS, AFTER_FINISHING = "before-signed-rows", "after-finishing"
BEFORE_SETTLING = "before-settling"
PREPARING = (BEFORE_PREPARING, PREPARED_FILE_STORED, BEFORE_PREPARED_ROWS, AFTER_PREPARING)
ASKING = (BEFORE_ASKING, AFTER_ASKING)
FINISHING = (BEFORE_FINISHING, SIGNED_FILE_STORED, BEFORE_SIGNED_ROWS, AFTER_FINISHING, BEFORE_SETTLING)
DELIVERIES, ENDING = "deliveries", "ending"
# Seconds after which Redis takes the message of a busy worker for lost, looked at five times a second.
PATIENCE = "TEST_BROKER_PATIENCE"

if PATIENCE in os.environ:
    _patience = {"visibility_timeout": float(os.environ[PATIENCE])}
    app.conf.broker_transport_options = {
        **getattr(settings, "CELERY_BROKER_TRANSPORT_OPTIONS", {}),
        **_patience,
        "unacked_restore_interval": 0.2,
        "unacked_restore_throttle": 1,
    }


@task_prerun.connect  # type: ignore[untyped-decorator]  # Celery has no types
def count(task_id: str = "", task: Any = None, **_signal: Any) -> None:
    """Which deliveries there were, each a line: a message that comes twice keeps its id."""
    if task.name in {"gateway.run_job", "gateway.run_batch"}:
        log = os.open(Path(os.environ["TEST_FAULTS_DIR"]) / DELIVERIES, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(log, f"{task_id}\n".encode())
        os.close(log)


@worker_shutting_down.connect  # type: ignore[untyped-decorator]  # Celery has no types
def end(**_signal: Any) -> None:
    """Says that it was asked to."""
    (Path(os.environ["TEST_FAULTS_DIR"]) / ENDING).touch()


@celeryd_after_setup.connect  # type: ignore[untyped-decorator]  # Celery has no types
def install(**_signal: Any) -> None:
    """Wraps the steps of a batch in this process."""
    from gateway.services import batch_preparing, batch_signing, batch_work, preparing, signing

    folder = Path(os.environ["TEST_FAULTS_DIR"])
    _around(folder, preparing, "_prepare_file", BEFORE_PREPARING, PREPARED_FILE_STORED)
    _around(folder, batch_preparing, "keep_prepared", BEFORE_PREPARED_ROWS, AFTER_PREPARING)
    _around(folder, batch_signing, "_ask", BEFORE_ASKING, AFTER_ASKING)
    _around(folder, signing, "_complete", BEFORE_FINISHING, SIGNED_FILE_STORED)
    _around(folder, signing, "keep", BEFORE_SIGNED_ROWS, AFTER_FINISHING)
    _around(folder, batch_work, "_end", BEFORE_SETTLING)


def _around(folder: Path, module: Any, name: str, before: str | None = None, after: str | None = None) -> None:
    real: Callable[..., Any] = getattr(module, name)

    def wrapped(*arguments: Any, **parameters: Any) -> Any:
        if before:
            strike(folder, before)
        result = real(*arguments, **parameters)
        if after:
            strike(folder, after)
        return result

    setattr(module, name, wrapped)
