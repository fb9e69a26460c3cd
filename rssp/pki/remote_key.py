"""An authority's key for `cryptography`'s certificate builder, which asks a private key to sign and nothing more."""

import hashlib
from typing import Any, NoReturn

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from rssp.algorithms import DigestSigner, HashName, SigningOperation, verify_signature

HASHES: dict[str, hashes.SHA256 | hashes.SHA384 | hashes.SHA512] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


class RemoteKey(ec.EllipticCurvePrivateKey):
    """The public key, and a signer that has the private one. Each signature is verified before it is used."""

    def __init__(
        self, *, public_key: ec.EllipticCurvePublicKey, spki: bytes, signer: DigestSigner, hash_name: HashName
    ) -> None:
        self._public_key = public_key
        self._spki = spki
        self._signer = signer
        self._operation = SigningOperation("ec", "ecdsa", hash_name)

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        digest = hashlib.new(self._operation.hash_name, data).digest()
        signature = self._signer.sign_digest(operation=self._operation, digest=digest)
        verify_signature(public_key=self._spki, operation=self._operation, digest=digest, signature=signature)
        return signature

    @property
    def hash_algorithm(self) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512:
        """What a builder is to sign with."""
        return HASHES[self._operation.hash_name]

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public_key

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._public_key.curve

    @property
    def key_size(self) -> int:
        return self._public_key.key_size

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> NoReturn:
        raise TypeError("an authority's key signs and does nothing else")

    def private_numbers(self) -> NoReturn:
        raise TypeError("the private key never leaves the HSM")

    def private_bytes(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("the private key never leaves the HSM")

    def __copy__(self) -> "RemoteKey":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "RemoteKey":
        return self
