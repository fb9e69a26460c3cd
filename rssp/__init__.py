"""The remote signing service: keeps signers' keys in an HSM and signs the digests that they approved.

It serves the CSC API, versions 1 and 2, to any client, and has a small certification authority whose keys lie in the
same token. It asks the authorization server about each token (introspection), and believes of an approval only what
the passkey's assertion itself proves, with the passkey that it bound to the key when the key was made.

It must never know a document, a PDF, a file's name beyond the label that an approval commits to, or a user beyond the
subject identifier. Holds: the HSM's PIN. Only a web process that serves this role opens the HSM's token.
"""
