"""What can go wrong; ``str(error)`` is a sentence for whoever runs the program, and holds no token."""


class ClientError(Exception):
    """Root of this package's errors."""


class LoginError(ClientError):
    """Nobody was logged in."""


class RefusedError(ClientError):
    """The service answered with a refusal; ``code`` is its ``error``, ``status`` the HTTP status, 0 where no answer
    came."""

    def __init__(self, sentence: str, *, code: str, status: int) -> None:
        super().__init__(sentence)
        self.code = code
        self.status = status


class ApprovalFailedError(ClientError):
    """The signer declined, or did not answer in time. The document is still prepared."""


class JobFailedError(ClientError):
    """The job ended without a signed document; ``code`` is its ``error.code``."""

    def __init__(self, sentence: str, *, code: str) -> None:
        super().__init__(sentence)
        self.code = code
