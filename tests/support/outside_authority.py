"""An authority outside Paraph, by OpenSSL: a root and an issuing authority, certificates for requests, a CMP server."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

REFERENCE, SECRET = "paraph", "a secret of two parties"
SIGNER = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,nonRepudiation\n"
_CA = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"


def openssl(*arguments: str | Path, stdin: bytes = b"") -> bytes:
    done = subprocess.run(["openssl", *map(str, arguments)], input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@dataclass
class OutsideAuthority:
    folder: Path

    def __post_init__(self) -> None:
        for name in ("root", "issuing"):
            openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", self.folder / f"{name}.key")
        self._issue(self._request("root", "/C=FR/O=Outside/CN=Outside Root"), _CA, "root.pem", itself="root", days=30)
        self._issue(self._request("issuing", "/C=FR/O=Outside/CN=Outside Issuing"), _CA, "issuing.pem", days=20)

    @property
    def root(self) -> bytes:
        return self.der("root.pem")

    @property
    def issuing(self) -> bytes:
        return self.der("issuing.pem")

    def der(self, name: str) -> bytes:
        pem = (self.folder / name).read_bytes()
        return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)

    def certify(self, request: bytes, extensions: str = SIGNER, *, days: int = 10, by: str = "issuing") -> bytes:
        """The certificate for a PKCS#10 (DER), as DER; it lies in ``signer.pem`` too."""
        (self.folder / "signer.csr").write_bytes(request)
        self._issue("signer.csr", extensions, "signer.pem", form="DER", by=by, days=days)
        return self.der("signer.pem")

    def request_of_its_own(self, common_name: str) -> bytes:
        """A PKCS#10 for a key that nobody else has."""
        key = openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout")
        (self.folder / "stranger.key").write_bytes(key)
        return openssl(
            "req", "-new", "-key", self.folder / "stranger.key", "-subj", f"/CN={common_name}", "-outform", "DER"
        )

    def admit(self, name: str, kind: str = "ec") -> None:
        """A party to the protocol: ``NAME.key`` and ``NAME.pem``, of the issuing authority, with its certificate."""
        how = (
            ("RSA", "-pkeyopt", "rsa_keygen_bits:2048")
            if kind == "rsa"
            else ("EC", "-pkeyopt", "ec_paramgen_curve:P-256")
        )
        openssl("genpkey", "-algorithm", *how, "-out", self.folder / f"{name}.key")
        party = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash\n"
        self._issue(self._request(name, f"/C=FR/O=Outside/CN={name}"), party, f"{name}.pem", by="issuing", days=10)
        with (self.folder / f"{name}.pem").open("ab") as chain:
            if name == "client":
                chain.write((self.folder / "issuing.pem").read_bytes())

    def _request(self, name: str, subject: str) -> str:
        request = f"{name}.csr"
        openssl(
            *("req", "-new", "-key", self.folder / f"{name}.key", "-subj", subject, "-out", self.folder / request),
        )
        return request

    def _issue(
        self,
        request: str,
        extensions: str,
        out: str,
        *,
        form: str = "PEM",
        by: str = "root",
        itself: str = "",
        days: int,
    ) -> None:
        (self.folder / "extensions").write_text(extensions)
        signed_by: tuple[str | Path, ...] = ("-CA", self.folder / f"{by}.pem", "-CAkey", self.folder / f"{by}.key")
        if itself:
            signed_by = ("-signkey", self.folder / f"{itself}.key")
        openssl(
            *("x509", "-req", "-inform", form, "-in", self.folder / request, *signed_by, "-days", str(days)),
            *("-set_serial", f"0x{int(time.time_ns()):x}", "-extfile", self.folder / "extensions"),
            *("-out", self.folder / out),
        )

    @contextmanager
    def serve(self, *options: str, with_secret: bool = True) -> Iterator[str]:
        """OpenSSL's CMP server, which answers with ``signer.pem``; yields its address."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        arguments = [
            *("openssl", "cmp", "-port", str(port)),
            *(("-srv_ref", REFERENCE, "-srv_secret", f"pass:{SECRET}") if with_secret else ()),
            *("-rsp_cert", "signer.pem", "-rsp_extracerts", "issuing.pem", *options),
        ]
        server = subprocess.Popen(
            arguments, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
        )
        try:
            assert server.stdout is not None
            assert any("ACCEPT" in line for line in iter(server.stdout.readline, "")), "the server did not start"
            yield f"http://127.0.0.1:{port}/pkix/"
        finally:
            server.kill()
            server.communicate()
