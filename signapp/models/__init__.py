"""Everything that this role keeps."""

from signapp.models.documents import Document, StoredFile
from signapp.models.logins import Login
from signapp.models.sessions import Session

__all__ = ["Document", "Login", "Session", "StoredFile"]
