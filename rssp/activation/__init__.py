"""The signer's sole control over the key: what was approved, verified without believing the authorization server.

What is *given* comes from an introspection answer (docs/protocols.md, sections 4 and 5) and is worth nothing by
itself. What is *expected* comes from this role's own records and settings. The two meet in the challenge: the SHA-256
of a byte string that holds every approved detail, which the signer's passkey signed. Plain Python; the time is passed
in.

`approvals` has what is given and `parsing` reads it, `layout` the bytes of the challenge, `assertions` what a passkey
signed; `verifying` decides, and `verified` is what is then permitted.
"""

from rssp.activation.approvals import (
    BINDING,
    BINDING_ACTIONS,
    CREATION,
    DELETION,
    HASH_TYPES,
    LONGEST_SECONDS,
    MAX_DIGESTS,
    MAX_PASSKEY_ID,
    NONCE_BYTES,
    ON_BEHALF,
    SIGNING,
    SIGNING_TYPES,
    VERSION,
    ApprovedDigest,
    Assertion,
    BindingApproval,
    CreationApproval,
    DeletionApproval,
    SigningApproval,
)
from rssp.activation.parsing import (
    parse_binding_approval,
    parse_creation_approval,
    parse_deletion_approval,
    parse_signing_approval,
)
from rssp.activation.verified import (
    VerifiedActivation,
    VerifiedBinding,
    VerifiedCreation,
    VerifiedDeletion,
)
from rssp.activation.verifying import (
    verify_activation,
    verify_binding_approval,
    verify_creation,
    verify_deletion,
)

__all__ = [
    "BINDING",
    "BINDING_ACTIONS",
    "CREATION",
    "DELETION",
    "HASH_TYPES",
    "LONGEST_SECONDS",
    "MAX_DIGESTS",
    "MAX_PASSKEY_ID",
    "NONCE_BYTES",
    "ON_BEHALF",
    "SIGNING",
    "SIGNING_TYPES",
    "VERSION",
    "ApprovedDigest",
    "Assertion",
    "BindingApproval",
    "CreationApproval",
    "DeletionApproval",
    "SigningApproval",
    "VerifiedActivation",
    "VerifiedBinding",
    "VerifiedCreation",
    "VerifiedDeletion",
    "parse_binding_approval",
    "parse_creation_approval",
    "parse_deletion_approval",
    "parse_signing_approval",
    "verify_activation",
    "verify_binding_approval",
    "verify_creation",
    "verify_deletion",
]
