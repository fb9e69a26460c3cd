"""What can go wrong in the signing service, told apart by what the caller can do about it. No HTTP in here.

``str(error)`` never holds a secret or anything that a stranger typed.
"""


class RsspError(Exception):
    """Root of this role's errors."""


# --- The HSM ------------------------------------------------------------------------------------------------


class HsmError(RsspError):
    """Root of what the HSM can do wrong."""


class HsmUnavailableError(HsmError):
    """The token, its library or a session cannot be had; certainly nothing was signed. Try again later."""


class KeyNotFoundError(HsmError):
    """The token holds no such key."""


class SigningFailedError(HsmError):
    """The HSM was asked to sign and failed, or gave back what does not verify: the outcome is unknown."""


class InvalidSignatureError(SigningFailedError):
    """The HSM gave back something that does not verify with the public key."""


# --- Algorithms ---------------------------------------------------------------------------------------------


class AlgorithmError(RsspError):
    """Root of algorithms that were asked for and are not to be had."""


class SignAlgoError(AlgorithmError):
    """``signAlgo`` is unknown or does not fit the key."""


class SignAlgoParamsMissingError(AlgorithmError):
    """``signAlgo`` needs parameters and there are none."""


class SignAlgoParamsError(AlgorithmError):
    """The parameters are malformed, contradict the hash algorithm or name a weak one."""


class HashAlgorithmMissingError(AlgorithmError):
    """``signAlgo`` implies no hash algorithm and none is named."""


class HashAlgorithmError(AlgorithmError):
    """The hash algorithm is unknown, weak or contradicts ``signAlgo``."""


class DigestLengthError(AlgorithmError):
    """A digest's length is not the hash algorithm's."""
