"""``make run``: an instance in the foreground, until Ctrl-C, SIGTERM or the end of one of its processes."""

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

from scripts.instance import ROOT, Instance, InstanceError, verify_port_is_free
from scripts.tls import HostNameError, verify_name


class Ended(Exception):  # noqa: N818  (not an error: somebody asked for it)
    """Somebody asked for the end."""


def _end(_number: int, _frame: FrameType | None) -> None:
    # Once: a second Ctrl-C must not interrupt the ending of what was started.
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
    raise Ended


_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def port_from_environment() -> int:
    """``PORT``, 8000 where it is not set; raises `InstanceError`."""
    value = os.environ.get("PORT") or "8000"
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise InstanceError(f"PORT must be a number from 1 to 65535, not {value!r}.")
    return int(value)


def host_from_environment() -> str:
    """``HOST``, a name of this machine in its network; empty where it is not set. Raises `InstanceError`."""
    value = os.environ.get("HOST") or ""
    try:
        host = verify_name(value) if value else ""
        if host:
            socket.getaddrinfo(host, None)
    except HostNameError as error:
        raise InstanceError(str(error)) from None
    except OSError:
        raise InstanceError(f"HOST must be a name that leads to this machine, and {host} leads nowhere.") from None
    return host


def var_dir_from_environment(host: str = "") -> Path:
    """``VAR_DIR``, or ``var/`` beside the code; an installation of its own below it for each ``host``, because
    passkeys and certificates are bound to the name."""
    var_dir = Path(os.environ.get("VAR_DIR") or ROOT / "var").resolve()
    return var_dir / "hosts" / host if host else var_dir


def demo_accounts(instance: Instance) -> list[dict[str, Any]]:
    """The demo accounts: made at the first start, remembered in ``demo.json``; an empty list with a complaint."""
    kept = instance.var_dir / "demo.json"
    if not kept.exists():
        try:
            told = instance.manage("seed_demo", capture=True)
        except InstanceError as error:
            print(f"There is no demo data. {error}", file=sys.stderr)
            return []
        kept.touch(mode=0o600)
        kept.write_text(told, encoding="utf-8")
    accounts: list[dict[str, Any]] = json.loads(kept.read_text(encoding="utf-8"))["accounts"]
    return accounts


_TRUST = """
Every device has to trust this installation's authority once. It can vouch for {host} alone, and its key is gone:

    {authority}

Bring it there, for instance with  python3 -m http.server 8080 --directory {folder}
and  http://{host}:8080/authority.crt  in the device's browser. Then, on
    iOS      Settings, General, VPN & Device Management: install it;
             then General, About, Certificate Trust Settings: switch it on
    Android  Settings, Security, Install a certificate, CA certificate
    Linux    chrome://certificate-manager or Firefox's settings: import it as an authority for websites
"""


def announce(instance: Instance, accounts: list[dict[str, Any]]) -> None:
    where = "to every device of this network" if instance.host else "on 127.0.0.1 only"
    print(f"\nParaph runs at {instance.base_url} (listening {where}).\n")
    if instance.host:
        authority = instance.tls.authority
        print(_TRUST.format(host=instance.host, authority=authority, folder=authority.parent).lstrip())
    for account in accounts:
        print(f"    {account['name']:<14} {account['email']:<22} {account['password']}")
    if accounts:
        print("\nThese people's passkeys lie in software, for automated browsers: make -s seed")
    print("To try it yourself, create an account of your own; it takes a minute.")
    print(f"\nData, keys and logs are in {instance.var_dir}. Ctrl-C ends everything.", flush=True)


def main() -> int:
    for number in _ENDING:
        signal.signal(number, _end)
    try:
        port = port_from_environment()
        host = host_from_environment()
        with Instance(var_dir_from_environment(host), port, host=host) as instance:
            verify_port_is_free(port)
            print("Starting …", flush=True)
            instance.start()
            announce(instance, demo_accounts(instance))
            while True:
                time.sleep(0.2)
                instance.verify_alive()
    except Ended:
        print("Ended.")
        return 0
    except InstanceError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
