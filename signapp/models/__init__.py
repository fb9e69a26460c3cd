"""Everything that this role keeps."""

from signapp.models.batches import Batch
from signapp.models.bulk import BulkRow, BulkSend
from signapp.models.direct_links import DirectLink, DirectLinkUse
from signapp.models.documents import Document, StoredFile
from signapp.models.envelopes import Envelope, EnvelopeDocument, Event, Invitation, Notice, Recipient
from signapp.models.fields import Field, Look
from signapp.models.filing import Binned
from signapp.models.leaving import Departure, Export, ExportPart
from signapp.models.limits import Limits
from signapp.models.logins import Login, UsedLogoutToken
from signapp.models.readers import Reader
from signapp.models.remains import Remains
from signapp.models.sessions import Session

__all__ = [
    "Batch",
    "Binned",
    "BulkRow",
    "BulkSend",
    "Departure",
    "DirectLink",
    "DirectLinkUse",
    "Document",
    "Envelope",
    "EnvelopeDocument",
    "Event",
    "Export",
    "ExportPart",
    "Field",
    "Invitation",
    "Limits",
    "Login",
    "Look",
    "Notice",
    "Reader",
    "Recipient",
    "Remains",
    "Session",
    "StoredFile",
    "UsedLogoutToken",
]
