"""What this role keeps: certificates, credentials, their keys and what opens them, activations with their ledger, and
the audit."""

from rssp.models.activations import ActivatedDigest, Activation, Extension, Intent, RestoreEpoch
from rssp.models.answers import KeptAnswer
from rssp.models.audit import AppendOnlyError, AuditCheckpoint, AuditEvent
from rssp.models.authentication import AuthenticationObject, Challenge, PendingAuthorization
from rssp.models.calls import AsynchronousCall
from rssp.models.certificates import Certificate
from rssp.models.credentials import Credential, PasskeyBinding
from rssp.models.ends import CredentialEnd, StandingEnd
from rssp.models.identities import IdentityProof
from rssp.models.keys import KeyEncryptionKey, SigningKey
from rssp.models.limits import RateLimit
from rssp.models.one_time import OneTimeCredential
from rssp.models.proofs import UsedProof
from rssp.models.requests import CertificateRequest, RequestAttribute, RequestDecision
from rssp.models.revocation import RevocationList, RevocationScope, StatusAnswer
from rssp.models.seals import SealGrant
from rssp.models.timestamps import Timestamp, TimestampTally

__all__ = [
    "ActivatedDigest",
    "Activation",
    "AppendOnlyError",
    "AsynchronousCall",
    "AuditCheckpoint",
    "AuditEvent",
    "AuthenticationObject",
    "Certificate",
    "CertificateRequest",
    "Challenge",
    "Credential",
    "CredentialEnd",
    "Extension",
    "IdentityProof",
    "Intent",
    "KeptAnswer",
    "KeyEncryptionKey",
    "OneTimeCredential",
    "PasskeyBinding",
    "PendingAuthorization",
    "RateLimit",
    "RequestAttribute",
    "RequestDecision",
    "RestoreEpoch",
    "RevocationList",
    "RevocationScope",
    "SealGrant",
    "SigningKey",
    "StandingEnd",
    "StatusAnswer",
    "Timestamp",
    "TimestampTally",
    "UsedProof",
]
