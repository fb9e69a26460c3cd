"""Signature creation: takes a signer's PDF, prepares it, has its digest approved and signed elsewhere, and gives back a
signed PDF that it verified itself.

Talks to the authorization server (introspection of callers' tokens; approvals, as the confidential signing client) and
to a remote signing service over the CSC API (credentials, ``signatures/signHash``).

Must never know: private keys, PKCS#11, passwords, passkeys or any other factor; what a signer's session looks like.
Holds: the signing client's secret, and job copies of documents, encrypted, for a limited time.
"""
