"""Encrypted PDFs (ISO 32000-2, 7.6): opened by a password, updated under the same keys. Runs in the child process.

What an update adds must be encrypted as the rest is (7.6.2), so an old cipher stays an old cipher: it is named, and
what a signature proves does not rest on it.
"""

from dataclasses import dataclass

from pyhanko.pdf_utils.crypt import AuthResult, AuthStatus, StandardSecurityHandler
from pyhanko.pdf_utils.crypt.permissions import StandardPermissions
from pyhanko.pdf_utils.crypt.standard import StandardSecuritySettingsRevision
from pyhanko.pdf_utils.reader import PdfFileReader

from gateway.errors import EncryptionUnsupportedError, PasswordRequiredError, PasswordWrongError
from gateway.pades.revision_five import RevisionFiveHandler

_CIPHERS = {"/V2": "RC4", "/AESV2": "AES", "/AESV3": "AES"}


@dataclass(frozen=True)
class Encryption:
    """``cipher`` as in ``AES-256`` (empty: not encrypted); whether a password is needed to read it at all; what its
    owner permits whoever gave this password (ISO 32000-2, table 22)."""

    cipher: str = ""
    password_required: bool = False
    may_add_field: bool = True
    may_fill_field: bool = True


def unlock(reader: PdfFileReader, password: str) -> Encryption:
    """From here on the reader decrypts. Raises `PasswordRequiredError`, `PasswordWrongError`,
    `EncryptionUnsupportedError`."""
    if "/Encrypt" not in reader.trailer:
        return Encryption()
    if reader.encrypt_dict is None or reader.encrypt_dict.get("/Filter") != "/Standard":
        raise EncryptionUnsupportedError
    handler = reader.security_handler
    if not isinstance(handler, StandardSecurityHandler) or not _is_known(handler):
        raise EncryptionUnsupportedError
    if handler.pdf_mac_enabled or "/AuthCode" in reader.trailer:
        # A seal (ISO/TS 32004) is renewed by every update, and the finished signature would be part of it.
        raise EncryptionUnsupportedError
    cipher = _cipher(handler)
    found = _try(reader, handler, "")
    is_free = found.status is not AuthStatus.FAILED
    if password:
        found = _try(reader, handler, password)
        if found.status is AuthStatus.FAILED:
            raise PasswordWrongError
    elif not is_free:
        raise PasswordRequiredError
    is_owner = found.status is AuthStatus.OWNER
    return Encryption(
        cipher=cipher,
        password_required=not is_free,
        may_add_field=is_owner or _may_add_field(handler),
        may_fill_field=is_owner or _may_fill_field(handler),
    )


def _is_known(handler: StandardSecurityHandler) -> bool:
    is_later = handler.revision is StandardSecuritySettingsRevision.OTHER
    return not is_later or isinstance(handler, RevisionFiveHandler)


def _try(reader: PdfFileReader, handler: StandardSecurityHandler, password: str) -> AuthResult:
    """For older handlers a password is in PDFDocEncoding (7.6.4.3): one that cannot be is not theirs."""
    try:
        return handler.authenticate(password, id1=bytes(reader.document_id[0]))
    except UnicodeEncodeError:
        return AuthResult(AuthStatus.FAILED)


def _cipher(handler: StandardSecurityHandler) -> str:
    """Of the streams, which hold what pages show. Raises `EncryptionUnsupportedError`."""
    crypt_filter = handler.get_stream_filter()
    method = str(crypt_filter.method)
    if method not in _CIPHERS:
        raise EncryptionUnsupportedError
    return f"{_CIPHERS[method]}-{8 * crypt_filter.keylen}"


def _may_add_field(handler: StandardSecurityHandler) -> bool:
    wanted = StandardPermissions.ALLOW_ANNOTS_FORM_FILLING | StandardPermissions.ALLOW_MODIFICATION_GENERIC
    return wanted in handler.perms


def _may_fill_field(handler: StandardSecurityHandler) -> bool:
    if StandardPermissions.ALLOW_ANNOTS_FORM_FILLING in handler.perms:
        return True
    # The finer permission came with revision 3.
    is_fine = handler.revision is not StandardSecuritySettingsRevision.RC4_BASIC
    return is_fine and StandardPermissions.ALLOW_FORM_FILLING in handler.perms
