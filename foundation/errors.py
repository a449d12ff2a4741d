"""
The errors both apps share: each branch says what the caller does next.

ServiceError
├─ Rejected              wrong and will stay wrong: a 4xx answer, never retried
├─ Transient             temporary failure; the work is retried automatically
│   ├─ Contention                            another worker won; stop quietly
│   └─ StoreUnavailable                      the ledger did not answer
├─ ConfigurationError    a setting is missing or wrong: 503 or an alarm that names it
│   ├─ SecretWithdrawn                       the vault says that it is deleted or disabled
│   └─ NoTable                               the table was never made, or is lost
└─ InvariantBroken       a bug or a stolen key: loud alarm, never retried

The first line of a class docstring is its default message. Each app derives its own errors from these.
"""

from __future__ import annotations

from collections.abc import Sequence


class ServiceError(Exception):
    """Something went wrong in this service."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").strip().partition("\n")[0])


class Rejected(ServiceError):
    """
    The request is wrong and will stay wrong.

    Args:
        message: One sentence for the sender; never holds a secret or an expected signature.
        code: The stable machine word of the answer's ``X-Error-Code``.
    """

    code = "rejected"

    def __init__(self, message: str = "", *, code: str = "") -> None:
        super().__init__(message)
        self.code = code or type(self).code


class Transient(ServiceError):
    """Temporary failure; the work is retried automatically."""


class Contention(Transient):
    """Another worker changed the same rows first."""


class StoreUnavailable(Transient):
    """The ledger did not answer."""


class ConfigurationError(ServiceError):
    """
    A setting is missing or wrong.

    Args:
        message: All of it in one text.
        sentences: One for each setting, where several are wrong; so that they can be listed.
    """

    def __init__(self, message: str = "", *, sentences: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.sentences = tuple(sentences) or (str(self),)


class SecretWithdrawn(ConfigurationError):
    """The vault answers that the secret is deleted or disabled: it must no longer be used."""


class NoTable(ConfigurationError):
    """The table does not exist."""


class InvariantBroken(ServiceError):
    """A rule that cannot be broken was broken."""


def require(condition: bool, otherwise: str) -> None:
    """Raise InvariantBroken with the sentence *otherwise* unless *condition* holds."""
    if not condition:
        raise InvariantBroken(otherwise)
