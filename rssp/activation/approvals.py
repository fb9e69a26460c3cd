"""What an authorization server tells of an approval, and is worth nothing by itself (docs/protocols.md, section 5)."""

from dataclasses import dataclass

VERSION = "paraph-approval/1"
SIGNING, CREATION, DELETION = "credential", "credential-creation", "credential-deletion"
BINDING = "passkey-binding"
BINDING_ACTIONS = ("bind", "unbind")
# What the challenge calls an approval that this service asked for out of band, for one of its own clients.
ON_BEHALF = "credential-on-behalf"
# And one whose credential its user chose, because the client named a signature qualifier alone.
BY_QUALIFIER = "credential-by-qualifier"
SIGNING_TYPES = (SIGNING, "https://cloudsignatureconsortium.org/2025/credential")
HASH_TYPES = ("dtbsr", "sdr")
NONCE_BYTES = 32
MAX_DIGESTS = 1000
MAX_PASSKEY_ID = 1023
# authz lets an approval live for 15 minutes; its clock may be a minute ahead of ours.
LONGEST_SECONDS = 15 * 60 + 60


@dataclass(frozen=True)
class Assertion:
    """What a passkey answered to a challenge (Web Authentication, 5.2.2)."""

    authenticator_data: bytes
    client_data_json: bytes
    signature: bytes


@dataclass(frozen=True)
class ApprovedDigest:
    """One approved digest occurrence; ``hash_type`` in lower case."""

    hash_type: str
    digest: bytes
    label: str


@dataclass(frozen=True)
class SigningApproval:
    """Signatures with one credential, as the authorization server tells it. ``on_behalf_of`` is the client for which
    this service asked out of band, and empty where a client asked by itself; ``signature_qualifier`` is what the client
    named in the place of a credential, else empty."""

    nonce: bytes
    client_id: str
    subject: str
    credential_id: str
    num_signatures: int
    hash_algorithm_oid: str
    digests: tuple[ApprovedDigest, ...]
    expires_at: int
    passkey_id: bytes
    assertion: Assertion
    on_behalf_of: str = ""
    signature_qualifier: str = ""


@dataclass(frozen=True)
class CreationApproval:
    """A new credential, as the authorization server tells it. ``email_verified`` is its word alone: the challenge does
    not commit to it, as no signer can vouch for it."""

    nonce: bytes
    client_id: str
    subject: str
    certificate_policy: str
    key_algorithm: str
    common_name: str
    email: str
    expires_at: int
    passkey_id: bytes
    passkey_public_key: bytes
    assertion: Assertion
    email_verified: bool = False  # the authorization server's word, beside the challenge


@dataclass(frozen=True)
class DeletionApproval:
    """The end of a credential, as the authorization server tells it. ``revocation_reason`` is empty where its
    certificate is not revoked."""

    nonce: bytes
    client_id: str
    subject: str
    credential_id: str
    revocation_reason: str
    expires_at: int
    passkey_id: bytes
    assertion: Assertion


@dataclass(frozen=True)
class BindingApproval:
    """A further passkey for a credential, or its end there, as the authorization server tells it. ``bound_`` is the
    passkey that it is about, ``passkey_id`` the one that approved."""

    nonce: bytes
    client_id: str
    subject: str
    credential_id: str
    action: str
    bound_id: bytes
    bound_public_key: bytes
    expires_at: int
    passkey_id: bytes
    assertion: Assertion
