"""A client of gateway's API, and a command line: ``python -m paraph_client sign in.pdf``.

It knows what a foreign program would know: the address, and what is published there. It imports no role.

    server = discover("https://sign.example.org")
    with Gateway(server.api, log_in(server, open_browser=webbrowser.open)) as gateway:
        job = gateway.open_job(Path("in.pdf"))
        job = gateway.prepare(job.job_id, gateway.credentials()[0].credential_id)
        webbrowser.open(gateway.ask_approval(job.job_id))
        gateway.save_result(gateway.wait(job.job_id).job_id, Path("in.signed.pdf"))
"""

from paraph_client.api import Gateway
from paraph_client.errors import ApprovalFailedError, ClientError, JobFailedError, LoginError, RefusedError
from paraph_client.login import log_in
from paraph_client.servers import Server, discover
from paraph_client.shapes import Credential, Job

__all__ = [
    "ApprovalFailedError",
    "ClientError",
    "Credential",
    "Gateway",
    "Job",
    "JobFailedError",
    "LoginError",
    "RefusedError",
    "Server",
    "discover",
    "log_in",
]
