"""The encryption of Acrobat 9: AES-256 as in ISO 32000-2, its keys opened by one round of SHA-256 (Adobe Supplement to
ISO 32000, extension level 3, 3.5.2). pyHanko reads the revisions before and after it. Runs in the child process.

A password is quicker to guess than with revision 6, and what a signature proves does not rest on it.
"""

import hashlib
import struct
import unicodedata
from hmac import compare_digest
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB
from pyhanko.pdf_utils.crypt import AuthResult, AuthStatus, SecurityHandler, StandardSecurityHandler
from pyhanko.pdf_utils.crypt.api import PdfKeyNotAvailableError, SecurityHandlerVersion
from pyhanko.pdf_utils.crypt.permissions import StandardPermissions
from pyhanko.pdf_utils.crypt.standard import StandardSecuritySettingsRevision
from pyhanko.pdf_utils.generic import DictionaryObject
from pyhanko.pdf_utils.misc import PdfError

REVISION = 5
_LONGEST_PASSWORD = 127


class RevisionFiveHandler(StandardSecurityHandler):  # type: ignore[no-untyped-call]  # pyHanko's is not annotated
    """``/U`` and ``/O`` are a checksum, its salt and the key's (32, 8, 8 bytes); the owner's take ``/U`` with them."""

    _file_key: bytes | None = None

    def authenticate(self, credential: Any, id1: bytes | None = None) -> AuthResult:
        """``credential`` is a password as text. Raises `PdfError` for permissions that were changed."""
        password = unicodedata.normalize("NFKC", credential).encode()[:_LONGEST_PASSWORD]
        ways = (
            (AuthStatus.OWNER, self.odata, self.oeseed, self.udata),
            (AuthStatus.USER, self.udata, self.ueseed, b""),
        )
        for status, told, seed, more in ways:
            if compare_digest(hashlib.sha256(password + told[32:40] + more).digest(), told[:32]):
                opening = Cipher(AES256(hashlib.sha256(password + told[40:] + more).digest()), CBC(bytes(16)))
                self._file_key = opening.decryptor().update(seed)
                self._verify_permissions(self._file_key)
                return AuthResult(status=status, permission_flags=self.perms)
        return AuthResult(status=AuthStatus.FAILED)

    def _verify_permissions(self, key: bytes) -> None:
        # One block under a fixed cipher, because that is how they are sealed.
        sealed = Cipher(AES256(key), ECB()).decryptor().update(self.encrypted_perms)  # noqa: S305
        (flags,) = struct.unpack("<I", sealed[:4])
        is_whole = sealed[9:12] == b"adb" and StandardPermissions.from_uint(flags) == self.perms
        if not is_whole or (sealed[8:9] == b"T") != self.encrypt_metadata:
            raise PdfError("the permissions are not those that were sealed")

    def get_file_encryption_key(self) -> bytes:
        if self._file_key is None:
            raise PdfKeyNotAvailableError("no password has opened it")
        return self._file_key

    def get_min_pdf_version(self) -> tuple[int, int]:
        return 1, 7


@SecurityHandler.register
class _StandardHandler(StandardSecurityHandler):  # type: ignore[no-untyped-call]  # as above
    """pyHanko's, but for the revision that it does not know."""

    @classmethod
    def instantiate_from_pdf_object(cls, encrypt_dict: DictionaryObject) -> StandardSecurityHandler:
        if encrypt_dict.get("/R") != REVISION:
            handler: StandardSecurityHandler = StandardSecurityHandler.instantiate_from_pdf_object(encrypt_dict)
            return handler
        return RevisionFiveHandler(
            version=SecurityHandlerVersion.from_number(encrypt_dict["/V"]),
            revision=StandardSecuritySettingsRevision.OTHER,
            crypt_filter_config=cls.process_crypt_filters(encrypt_dict),
            **cls.gather_encryption_metadata(encrypt_dict),
        )
