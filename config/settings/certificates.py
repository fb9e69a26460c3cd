"""What more roles than rssp have to know of certificates: who gets one, and what signatures with them are called."""

from config.env import env_pairs, env_str
from config.settings.process import ROLES

# An OpenID provider that says who asks for a certificate (docs/registration.md), beside the one who logs people in.
IDENTITY_ISSUER = env_str("IDENTITY_ISSUER", "")
if {"rssp", "authz"} & set(ROLES):
    # How rssp decides requests for certificates, by policy: automatic, verified-email, approval or claims. What is not
    # named needs an operator's approval, and so does every policy whose certificates hold verified names. authz has
    # whom it concerns confirm the address before they approve.
    REGISTRATION = {"demonstration": "verified-email", **env_pairs("REGISTRATION")}
# What signatures with a profile's credentials are called where a client names that in a credential's place (CSC API,
# 8.4.2). It is the operator's word; the demonstration's says that it is one.
SIGNATURE_QUALIFIERS = env_pairs("SIGNATURE_QUALIFIERS", "demonstration=paraph_demonstration")
