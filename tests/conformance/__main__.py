"""``python -m tests.conformance --base-url https://host/csc …``: asks a server, prints the report.

Ends with 0 if no row failed, 1 if one did, 2 if the server cannot be asked at all. Secrets come from the environment
where they are not given: CSC_TOKEN, CSC_PASSWORD, CSC_PIN, CSC_OTP, CSC_SAD, CSC_SEAL_TOKEN,
CSC_CLIENT_SECRET.
"""

import argparse
import dataclasses
import os
import sys

import httpx

from tests.conformance.reporting import write_json, write_markdown
from tests.conformance.rows import BOTH, Version
from tests.conformance.running import Result, rows_for, try_row
from tests.conformance.target import Given, Target

_SECRETS = ("token", "password", "pin", "otp", "sad", "seal_token", "client_secret")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    for item in dataclasses.fields(Given):
        default = os.environ.get(f"CSC_{item.name.upper()}", "") if item.name in _SECRETS else item.default
        required = item.default is dataclasses.MISSING
        parser.add_argument(
            f"--{item.name.replace('_', '-')}",
            default=None if required else default,
            required=required,
            type=float if item.name == "patience" else str,
        )
    parser.add_argument("--version", type=int, choices=BOTH, action="append", help="one version alone")
    parser.add_argument("--json", action="store_true", help="JSON instead of Markdown")
    options = vars(parser.parse_args(arguments))
    versions: list[Version] = options.pop("version") or list(BOTH)
    as_json = options.pop("json")
    given = Given(**options)
    results: list[Result] = []
    with httpx.Client(timeout=60, trust_env=False) as http:
        for version in versions:
            target = Target(given, version, http)
            try:
                results += [try_row(target, row) for row in rows_for(target)]
            except (httpx.HTTPError, KeyError, ValueError) as error:
                sys.stderr.write(f"info of version {version} cannot be asked: {type(error).__name__} {error}\n")
                return 2
    if as_json:
        sys.stdout.write(write_json(given.base_url, results) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in write_markdown(given.base_url, results))
    return 1 if any(result.verdict == "failed" for result in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
