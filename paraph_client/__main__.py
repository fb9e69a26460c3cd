"""``python -m paraph_client sign in.pdf``: the browser opens to log in and to approve, then there is
``in.signed.pdf``."""

import argparse
import sys
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path

from paraph_client.api import Gateway
from paraph_client.errors import ClientError
from paraph_client.login import log_in
from paraph_client.servers import discover
from paraph_client.shapes import Credential

_LEVELS = ("B-B", "B-T", "B-LT", "B-LTA")


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when everything that was asked for is done; 1 and a sentence otherwise."""
    asked = _parser().parse_args(arguments)
    try:
        server = discover(asked.server)
        if asked.command == "sign":
            _refuse_bad_files(asked.document, asked.output or _signed_name(asked.document), force=asked.force)
        open_browser = _print_address if asked.no_browser else _open_browser
        _say("Log in in your browser.")
        with Gateway(server.api, log_in(server, open_browser=open_browser)) as gateway:
            if asked.command == "credentials":
                _list(gateway)
            else:
                _sign(gateway, asked, open_browser)
    except ClientError as error:
        print(f"paraph: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("paraph: stopped. Nothing was written.", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="paraph", description="Sign PDF documents with a remote key.")
    parser.add_argument("--server", default="http://localhost:8000", help="the service's address (%(default)s)")
    parser.add_argument("--no-browser", action="store_true", help="print addresses instead of opening a browser")
    commands = parser.add_subparsers(dest="command", required=True)
    sign = commands.add_parser("sign", help="sign a document")
    sign.add_argument("document", type=Path)
    sign.add_argument("-o", "--output", type=Path, help="instead of NAME.signed.pdf beside it")
    sign.add_argument("--force", action="store_true", help="replace the output where it exists")
    sign.add_argument("--credential", help="which certificate signs, where there are several")
    sign.add_argument("--level", choices=_LEVELS, help="PAdES level; the service's own choice otherwise")
    sign.add_argument("--reason", help="why it is signed")
    commands.add_parser("credentials", help="list the certificates that can sign")
    return parser


def _signed_name(document: Path) -> Path:
    return document.with_name(f"{document.stem}.signed.pdf")


def _refuse_bad_files(document: Path, output: Path, *, force: bool) -> None:
    """Before anybody logs in."""
    if not document.is_file():
        raise ClientError(f"There is no file {document}.")
    if output.exists() and not force:
        raise ClientError(f"{output} exists. Say --force to replace it, or name another file with -o.")
    if not output.parent.is_dir():
        raise ClientError(f"There is no folder {output.parent}.")


def _sign(gateway: Gateway, asked: argparse.Namespace, open_browser: Callable[[str], None]) -> None:
    output = asked.output or _signed_name(asked.document)
    credential = _choose(gateway.credentials(), asked.credential)
    options = {name: value for name in ("level", "reason") if (value := getattr(asked, name))}
    job = gateway.open_job(asked.document)
    try:
        job = gateway.prepare(job.job_id, credential.credential_id, **options)
        _say(f"Approve {job.name} in your browser. Its fingerprint there is\n  {job.fingerprint}")
        open_browser(gateway.ask_approval(job.job_id))
        signed = gateway.wait(job.job_id)
        gateway.save_result(job.job_id, output)
    finally:
        _tidy(gateway, job.job_id)
    _say(f"Signed ({signed.level}): {output}")


def _choose(credentials: list[Credential], wanted: str | None) -> Credential:
    chosen = [each for each in credentials if wanted in {None, each.credential_id}]
    if not chosen and wanted:
        raise ClientError(f"None of your certificates that can sign is {wanted}.")
    if not chosen:
        raise ClientError("You have no certificate that can sign. Get one in your browser first.")
    if len(chosen) > 1:
        listed = "\n".join(f"  {each.credential_id}  {each.common_name}" for each in chosen)
        raise ClientError(f"You have several certificates. Choose one with --credential:\n{listed}")
    return chosen[0]


def _tidy(gateway: Gateway, job_id: str) -> None:
    """The service would keep its copies for some days otherwise; that is no reason to fail."""
    try:
        gateway.delete_job(job_id)
    except ClientError as error:
        print(f"paraph: the service keeps its copy for now: {error}", file=sys.stderr)


def _list(gateway: Gateway) -> None:
    for credential in gateway.credentials():
        print(f"{credential.credential_id}  {credential.common_name}  {credential.description}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print_address(url: str) -> None:
    _say(f"  {url}")


def _open_browser(url: str) -> None:
    if not webbrowser.open(url):
        _print_address(url)


if __name__ == "__main__":
    sys.exit(main())
