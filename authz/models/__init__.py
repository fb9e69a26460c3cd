"""Everything that this role keeps."""

from authz.models.consents import BackchannelRequest, Consent, PushedRequest
from authz.models.faces import Face
from authz.models.logos import ClientLogo
from authz.models.logouts import LogoutNotice
from authz.models.oauth import AccessToken, Application, Authentication, Grant, IDToken, RefreshToken, Signature
from authz.models.passkeys import Passkey, UsedChallenge
from authz.models.recovery import AddressChange, KnownDevice, PasswordLink, RecoveryCode, SecurityEvent
from authz.models.sessions import Session
from authz.models.throttles import Throttle
from authz.models.users import AddressLink, OperatorInvitation, SignUpLink, User

__all__ = [
    "AccessToken",
    "AddressChange",
    "AddressLink",
    "Application",
    "Authentication",
    "BackchannelRequest",
    "ClientLogo",
    "Consent",
    "Face",
    "Grant",
    "IDToken",
    "KnownDevice",
    "LogoutNotice",
    "OperatorInvitation",
    "Passkey",
    "PasswordLink",
    "PushedRequest",
    "RecoveryCode",
    "RefreshToken",
    "SecurityEvent",
    "Session",
    "SignUpLink",
    "Signature",
    "Throttle",
    "UsedChallenge",
    "User",
]
