"""What each kind of certificate holds, as data."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from rssp.algorithms import HashName

Role = Literal["root", "issuing", "signer"]

# A policy of test certificates, under an arc that anybody may make (ITU-T X.667).
DEMONSTRATION_POLICY = "2.25.245837186641662379361168511369476673531"
_NOTICE = "Demonstration only. Nobody verified the name or the e-mail address in this certificate."


@dataclass(frozen=True)
class Profile:
    """``key_usage`` in the words of `cryptography.x509.KeyUsage`; ``hash_name`` is the certified authority key's."""

    name: str
    role: Role
    validity: timedelta
    key_usage: frozenset[str]
    path_length: int | None = None
    key_algorithm: str | None = None
    hash_name: HashName | None = None
    common_name: str | None = None
    policy: str | None = None
    notice: str | None = None

    @property
    def is_authority(self) -> bool:
        return self.role != "signer"


ROOT = Profile(
    name="root",
    role="root",
    validity=timedelta(days=20 * 365),
    key_usage=frozenset({"key_cert_sign", "crl_sign"}),
    key_algorithm="ec-p384",
    hash_name="sha384",
    common_name="{name} Demonstration Root CA",
)
ISSUING = Profile(
    name="issuing",
    role="issuing",
    validity=timedelta(days=10 * 365),
    key_usage=frozenset({"key_cert_sign", "crl_sign"}),
    path_length=0,
    key_algorithm="ec-p256",
    hash_name="sha256",
    common_name="{name} Demonstration Issuing CA",
    policy=DEMONSTRATION_POLICY,
)
# contentCommitment alone (EN 319 412-2, 4.3.2, type A): the key signs documents and nothing else.
DEMONSTRATION = Profile(
    name="demonstration",
    role="signer",
    validity=timedelta(days=365),
    key_usage=frozenset({"content_commitment"}),
    policy=DEMONSTRATION_POLICY,
    notice=_NOTICE,
)
SIGNER_PROFILES: dict[str, Profile] = {DEMONSTRATION.name: DEMONSTRATION}
