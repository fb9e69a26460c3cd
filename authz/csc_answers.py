"""What the CSC API's OAuth endpoints answer in fixed words (v1, 8.3.3, 8.3.4; v2, 8.4.4, 8.4.5), as data.

Both versions have the same words. Where they have none, the RFC's answer stands.
"""

MISSING_CLIENT_ID = "Missing parameter client_id"
INVALID_CLIENT_ID = "Invalid parameter client_id"
NO_AUTHORIZATION = "Client authorization required"
INVALID_SECRET = "Invalid parameter client_secret"
INVALID_HEADER = "Invalid authorization header"

# --- oauth2/token ---------------------------------------------------------------------------------------------
MISSING_GRANT_TYPE = "Missing parameter grant_type"
INVALID_GRANT_TYPE = "Invalid parameter grant_type"
# What each grant type cannot do without.
GRANT_TYPES = {"authorization_code": "code", "refresh_token": "refresh_token", "client_credentials": None}
INVALID_CODE = "Invalid parameter code"
WRONG_REDIRECT_URI = "redirect_uri parameter does not match redirect_uri parameter of authorization request"
INVALID_REFRESH_TOKEN = "Invalid parameter refresh_token"
EXPIRED_REFRESH_TOKEN = "Refresh token expired"
# What is left of RFC 6749's invalid_grant once the mistakes with words of their own are ruled out.
INVALID_GRANT = {
    "authorization_code": "Authorization code is invalid or expired",
    "refresh_token": INVALID_REFRESH_TOKEN,
}

# --- oauth2/revoke --------------------------------------------------------------------------------------------
MISSING_TOKEN = "Missing parameter token"
INVALID_HINT = "Invalid parameter token_type_hint"
HINTS = ("access_token", "refresh_token")
UNKNOWN_TOKEN = "Invalid string parameter token"


def missing(name: str) -> str:
    """The sentence for a parameter that is not there."""
    return f"Missing parameter {name}"
