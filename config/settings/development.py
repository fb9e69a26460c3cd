"""The secrets that an installation for development makes for itself where none is given."""

import os

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from config.env import random_secret
from config.settings.process import DEVELOPMENT, VAR_DIR

# None outside development: there a secret that is missing is an error.
secrets_folder = VAR_DIR / "secrets" if DEVELOPMENT else None


def fernet_key() -> str:
    """Wraps documents' keys, seals factors."""
    return Fernet.generate_key().decode()


def rsa_key() -> str:
    """PEM, PKCS #8; 3072 bits."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def ec_key() -> str:
    """PEM, PKCS #8; P-256."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def pin() -> str:
    """The token's: twelve digits."""
    return "".join(str(byte % 10) for byte in os.urandom(12))


def mac_key() -> str:
    """The first version of LEDGER_MAC_KEY."""
    return f"1:{random_secret()}"
