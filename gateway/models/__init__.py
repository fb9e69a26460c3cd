"""Jobs, the documents they hold, requests for credentials, and trust. A user is (issuer, subject), two strings: no
key leaves this role.
"""

from gateway.models.answers import KeptAnswer
from gateway.models.archives import Archive
from gateway.models.batches import Batch
from gateway.models.clients import ClientPolicy
from gateway.models.composed import Composed
from gateway.models.credentials import CredentialRequest
from gateway.models.documents import StoredDocument
from gateway.models.jobs import Job
from gateway.models.passkeys import PasskeyChange
from gateway.models.passwords import PasswordTry
from gateway.models.proofs import UsedProof
from gateway.models.returns import ApprovalReturn
from gateway.models.rows import ChangingQuerySet, retention_end, update_rows
from gateway.models.trust import TrustAnchor, TrustedList
from gateway.models.webhooks import WebhookDelivery, WebhookEndpoint

__all__ = [
    "ApprovalReturn",
    "Archive",
    "Batch",
    "ChangingQuerySet",
    "ClientPolicy",
    "Composed",
    "CredentialRequest",
    "Job",
    "KeptAnswer",
    "PasskeyChange",
    "PasswordTry",
    "StoredDocument",
    "TrustAnchor",
    "TrustedList",
    "UsedProof",
    "WebhookDelivery",
    "WebhookEndpoint",
    "retention_end",
    "update_rows",
]
