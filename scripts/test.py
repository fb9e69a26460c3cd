"""``make test``: pytest in parallel, beside the real PostgreSQL and Redis that tests use and that end with it.

Further arguments go to pytest. With ``CI=1`` a skipped test fails (tests/conftest.py).
"""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack

from scripts.instance import ROOT
from tests.support.services import postgresql, redis_server


def workers() -> int:
    """Two at least, because tests wait more than they compute; four at most, because each keeps its own databases."""
    return max(2, min(4, os.cpu_count() or 2))


def main() -> int:
    # Ended by a signal, the servers end too: SystemExit unwinds what is open.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with ExitStack() as services:
        environment = {
            **os.environ,
            "TEST_POSTGRESQL_URL": services.enter_context(postgresql()),
            "TEST_REDIS_URL": services.enter_context(redis_server()),
        }
        command = [sys.executable, "-m", "pytest", f"--numprocesses={workers()}", "--dist=loadgroup", *sys.argv[1:]]
        try:
            return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        except KeyboardInterrupt:
            return 130


if __name__ == "__main__":
    sys.exit(main())
