"""What this role keeps: certificates, credentials and their keys, activations with their ledger, and the audit."""

from rssp.models.activations import ActivatedDigest, Activation, Extension
from rssp.models.audit import AppendOnlyError, AuditEvent
from rssp.models.certificates import Certificate
from rssp.models.credentials import Credential, PasskeyBinding
from rssp.models.keys import KeyEncryptionKey, SigningKey

__all__ = [
    "ActivatedDigest",
    "Activation",
    "AppendOnlyError",
    "AuditEvent",
    "Certificate",
    "Credential",
    "Extension",
    "KeyEncryptionKey",
    "PasskeyBinding",
    "SigningKey",
]
