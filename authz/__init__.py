"""The authorization server (OAuth 2) and OpenID provider.

It knows users, their passkeys, the registered clients and what each user approved. It sees digests and the labels
that a client gave them, shows both to the user, and asks for a password and a passkey before it issues a token.

It answers browsers, OAuth clients and the introspection calls of resource servers, and calls nobody.

It must never know a document, a PDF, a signing key or an HSM.
"""
