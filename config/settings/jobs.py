"""Jobs: how Celery hands them out, and what each role does again and again."""

import os
from datetime import timedelta
from typing import Any

from celery.schedules import schedule

from config.env import env_int, env_secret
from config.settings.process import ROLES, VAR_DIR

CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
if os.environ.get("REDIS_URL"):
    CELERY_BROKER_URL = env_secret("REDIS_URL")
else:
    _BROKER = VAR_DIR / "broker"
    for _folder in ("queue", "control"):
        (_BROKER / _folder).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_URL = "wholefiles://"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_BROKER / "queue"),
        "data_folder_out": str(_BROKER / "queue"),
        "control_folder": str(_BROKER / "control"),
        "polling_interval": 0.05,
    }


def _every(task: str, **interval: int) -> dict[str, Any]:
    """An entry of the schedule; ``interval`` in the words of `timedelta`."""
    return {"task": task, "schedule": schedule(timedelta(**interval))}


CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {}
if "gateway" in ROLES:
    CELERY_BEAT_SCHEDULE |= {
        "sweep jobs": _every("gateway.sweep_jobs", seconds=env_int("JOB_SWEEP_SECONDS", 10)),
        "remove stale files": _every("gateway.remove_stale_files", hours=1),
        "renew archives": _every("gateway.renew_archives", seconds=env_int("ARCHIVE_ROUND_SECONDS", 3600)),
    }
if "rssp" in ROLES:
    CELERY_BEAT_SCHEDULE |= {
        "sweep the ledger": _every("rssp.sweep_ledger", seconds=env_int("LEDGER_SWEEP_SECONDS", 20)),
        "write down where the audit ends": _every(
            "rssp.checkpoint_audit", seconds=env_int("AUDIT_CHECKPOINT_SECONDS", 20)
        ),
        "sweep calls": _every("rssp.sweep_calls", seconds=env_int("CALL_SWEEP_SECONDS", 20)),
        "notify clients": _every("rssp.notify_clients", seconds=env_int("NOTIFICATION_SECONDS", 2)),
        "clear old time-stamps' records": _every("rssp.clear_timestamps", hours=1),
        "warn of certificates that end soon": _every("rssp.warn_of_expiry", days=1),
        "sweep requests for certificates": _every("rssp.sweep_requests", seconds=env_int("REQUEST_SWEEP_SECONDS", 60)),
        "clear what is over at rssp": _every("rssp.clear_expired", hours=1),
        "renew revocation lists": _every("rssp.renew_revocation_lists", seconds=env_int("CRL_RENEWAL_SECONDS", 30)),
        "tend the keys": _every("rssp.tend_keys", seconds=env_int("KEY_TEND_SECONDS", 30)),
    }
if "authz" in ROLES:
    CELERY_BEAT_SCHEDULE |= {
        "tell of what happened to accounts": _every("authz.tell_of_events", minutes=1),
        "tell clients that logins ended": _every("authz.tell_of_logouts", seconds=10),
        "clear what has expired": _every("authz.clear_expired", hours=1),
    }
if "signapp" in ROLES:
    CELERY_BEAT_SCHEDULE |= {
        "clear sessions and stale files": _every("signapp.clear_expired", hours=1),
        "empty bins and delete what is old": _every("signapp.tend_retention", hours=1),
        "tend envelopes": _every("signapp.tend_envelopes", seconds=env_int("ENVELOPE_TEND_SECONDS", 30)),
    }
