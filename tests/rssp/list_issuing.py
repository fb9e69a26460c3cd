"""One of several processes that revoke certificates and have lists issued, over one database and one token: what
test_revocation_races starts. Prints each list that it saw as a line of JSON."""

import json
import sys
import time

import django

django.setup()

from cryptography import x509  # noqa: E402

from rssp.models import Certificate, RevocationList  # noqa: E402
from rssp.services.authority import read_authority  # noqa: E402
from rssp.services.revocation_lists import read_content, read_revocation_list  # noqa: E402
from rssp.services.revoking import revoke_certificate  # noqa: E402
from tests.rssp.rows import add_certificates  # noqa: E402


def see(issuer: Certificate) -> set[str]:
    """What is on the list that a relying party gets now."""
    published: RevocationList = read_revocation_list(issuer=issuer, partition=0)
    seen = x509.load_der_x509_crl(bytes(read_content(published).der))
    number = seen.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    listed = sorted(f"{entry.serial_number:x}" for entry in seen)
    sys.stdout.write(json.dumps({"number": number, "listed": listed}) + "\n")
    return set(listed)


def main(rounds: int) -> None:
    issuer = read_authority(role="issuing")
    for certificate in add_certificates(issuer, rounds):
        revoke_certificate(certificate=certificate, reason="superseded")
        deadline = time.monotonic() + 60
        while certificate.serial_number not in see(issuer):
            if time.monotonic() > deadline:
                raise SystemExit("a revoked certificate was on no list for a minute")
            time.sleep(0.02)


if __name__ == "__main__":
    main(int(sys.argv[1]))
