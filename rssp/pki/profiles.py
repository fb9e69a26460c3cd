"""What each kind of certificate holds, as data (RFC 5280; EN 319 412-2 for persons, -3 for organisations)."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from cryptography.x509.oid import ExtendedKeyUsageOID

from rssp.algorithms import HashName
from rssp.pki.subjects import LegalPerson, NaturalPerson, Subject, UnverifiedPerson

Role = Literal["root", "issuing", "tsa", "ocsp", "signer", "seal"]
Pointer = Literal["issuer", "crl", "ocsp"]
Mark = Literal["ocsp_no_check", "no_rev_avail", "validity_assured"]

# Policies of examples, below the enterprise number that is kept for those (RFC 5612): an operator's own take their
# place. None of them is a policy of EN 319 411, which an audited authority alone may claim. docs/certificates.md.
DEMONSTRATION_POLICY = "1.3.6.1.4.1.32473.1.1"
SIGNER_POLICY = "1.3.6.1.4.1.32473.1.2"
SHORT_LIVED_POLICY = "1.3.6.1.4.1.32473.1.3"
SEAL_POLICY = "1.3.6.1.4.1.32473.1.4"
TSA_POLICY = "1.3.6.1.4.1.32473.1.5"
DEMONSTRATION_EMAIL_POLICY = "1.3.6.1.4.1.32473.1.6"
SHORT_LIVED_UNPUBLISHED_POLICY = "1.3.6.1.4.1.32473.1.7"
ANY_POLICY = "2.5.29.32.0"
_NOTICE = "Demonstration only. Nobody verified the name in this certificate."
_EMAIL_NOTICE = (
    "Demonstration only. The e-mail address was verified by a link that was sent to it; nobody verified the name."
)

_EVERY_POINTER: frozenset[Pointer] = frozenset({"issuer", "crl", "ocsp"})


@dataclass(frozen=True)
class Profile:
    """``key_usage`` in the words of `cryptography.x509.KeyUsage`.

    ``key_algorithm``, ``hash_name`` and ``common_name`` are for the service's own keys, ``subject`` for everybody
    else's. ``pointers`` are the addresses that a certificate names: its issuer's certificate, CRL and OCSP responder.
    ``renewed`` is how long before its end the service's own certificate gets a successor, ``key_validity`` how long its
    key signs (privateKeyUsagePeriod). ``with_email`` takes this one's place for a subject whose e-mail address was
    verified, so that the policy says which it is. ``states_semantics`` adds the one qcStatement there is here, which
    says that the subject's identifier is built as EN 319 412-1 says and claims nothing else; no profile below asks for
    it. A profile ``for_one_signature`` has a key and a certificate made for each approval (`rssp.services.one_time`).
    """

    name: str
    role: Role
    validity: timedelta
    key_usage: frozenset[str]
    extended_key_usage: str | None = None  # critical, and alone (RFC 3161, 2.3)
    path_length: int | None = None
    key_algorithm: str | None = None
    hash_name: HashName | None = None
    common_name: str | None = None
    subject: type[Subject] | None = None
    policy: str | None = None
    notice: str | None = None
    pointers: frozenset[Pointer] = _EVERY_POINTER
    marks: frozenset[Mark] = frozenset()
    renewed: timedelta = timedelta(0)
    key_validity: timedelta | None = None
    states_semantics: bool = False
    for_one_signature: bool = False
    with_email: "Profile | None" = None

    @property
    def is_authority(self) -> bool:
        return "key_cert_sign" in self.key_usage


ROOT = Profile(
    name="root",
    role="root",
    validity=timedelta(days=20 * 365),
    key_usage=frozenset({"key_cert_sign", "crl_sign"}),
    key_algorithm="ec-p384",
    hash_name="sha384",
    common_name="{name} Demonstration Root CA",
    pointers=frozenset(),
)
# The root's key may be kept where no responder reaches it, so its certificates are looked up in its CRL alone.
ISSUING = Profile(
    name="issuing",
    role="issuing",
    validity=timedelta(days=10 * 365),
    key_usage=frozenset({"key_cert_sign", "crl_sign"}),
    path_length=0,
    key_algorithm="ec-p256",
    hash_name="sha256",
    common_name="{name} Demonstration Issuing CA",
    policy=ANY_POLICY,
    pointers=frozenset({"issuer", "crl"}),
)
# A time-stamping unit (RFC 3161, 2.3; EN 319 422, 6): its key rests long before its certificate ends, so that every
# time-stamp can be verified for two years at least.
TSA = Profile(
    name="tsa",
    role="tsa",
    validity=timedelta(days=3 * 365),
    key_usage=frozenset({"digital_signature"}),
    extended_key_usage=ExtendedKeyUsageOID.TIME_STAMPING.dotted_string,
    key_algorithm="ec-p256",
    hash_name="sha256",
    common_name="{name} Demonstration TSA",
    policy=TSA_POLICY,
    renewed=timedelta(days=2 * 365 + 30),
    key_validity=timedelta(days=365),
)
# An authorised responder, whom nobody asks about (RFC 6960, 4.2.2.2 and 4.2.2.2.1): short, and often renewed.
OCSP = Profile(
    name="ocsp",
    role="ocsp",
    validity=timedelta(days=90),
    key_usage=frozenset({"digital_signature"}),
    extended_key_usage=ExtendedKeyUsageOID.OCSP_SIGNING.dotted_string,
    key_algorithm="ec-p256",
    hash_name="sha256",
    common_name="{name} Demonstration OCSP",
    pointers=frozenset({"issuer"}),
    marks=frozenset({"ocsp_no_check"}),
    renewed=timedelta(days=30),
)

# contentCommitment alone (EN 319 412-2, 4.3.2, and -3, 4.3.1, type A): the key signs documents and nothing else.
_DOCUMENTS = frozenset({"content_commitment"})

DEMONSTRATION_EMAIL = Profile(
    name="demonstration-email",
    role="signer",
    validity=timedelta(days=365),
    key_usage=_DOCUMENTS,
    subject=UnverifiedPerson,
    policy=DEMONSTRATION_EMAIL_POLICY,
    notice=_EMAIL_NOTICE,
)
DEMONSTRATION = Profile(
    name="demonstration",
    role="signer",
    validity=timedelta(days=365),
    key_usage=_DOCUMENTS,
    subject=UnverifiedPerson,
    policy=DEMONSTRATION_POLICY,
    notice=_NOTICE,
    with_email=DEMONSTRATION_EMAIL,
)
SIGNER = Profile(
    name="signer",
    role="signer",
    validity=timedelta(days=2 * 365),
    key_usage=_DOCUMENTS,
    subject=NaturalPerson,
    policy=SIGNER_POLICY,
)
# Over before a revocation could take effect, which EN 319 411-1 (REV-6.2.4) lets take 24 hours: its validity is assured
# (ext-etsi-valassured-ST-certs, EN 319 412-1, 5.2.2), and whoever asks all the same is answered (docs/decisions/0018).
# An hour is time enough to read and to approve.
SHORT_LIVED = Profile(
    name="short-lived",
    role="signer",
    validity=timedelta(hours=1),
    key_usage=_DOCUMENTS,
    subject=NaturalPerson,
    policy=SHORT_LIVED_POLICY,
    marks=frozenset({"validity_assured"}),
    for_one_signature=True,
)
# The same of an authority that publishes nothing about it and says so (noRevAvail, RFC 9608): no address may be beside.
SHORT_LIVED_UNPUBLISHED = replace(
    SHORT_LIVED,
    name="short-lived-unpublished",
    policy=SHORT_LIVED_UNPUBLISHED_POLICY,
    pointers=frozenset({"issuer"}),
    marks=frozenset({"no_rev_avail", "validity_assured"}),
)
SEAL = Profile(
    name="seal",
    role="seal",
    validity=timedelta(days=2 * 365),
    key_usage=_DOCUMENTS,
    subject=LegalPerson,
    policy=SEAL_POLICY,
)

OWN_PROFILES: dict[str, Profile] = {profile.role: profile for profile in (ROOT, ISSUING, TSA, OCSP)}
SUBSCRIBER_PROFILES: dict[str, Profile] = {
    profile.name: profile for profile in (DEMONSTRATION, SIGNER, SHORT_LIVED, SHORT_LIVED_UNPUBLISHED, SEAL)
}
