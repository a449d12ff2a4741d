"""What the authorization server answers, and what it means for the token."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from foundation.errors import ConfigurationError, ServiceError
from payflow.conta_azul import answers
from payflow.errors import ApiUnavailable, UnreadableAnswer

EXPIRES_S_MAX: Final = 24 * 3600
_OK, _SERVER_ERROR = 200, 500


class InvalidGrant(ServiceError):
    """The authorization server does not take this code or refresh token."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """A new pair of tokens; the refresh token that was asked with is dead."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_s: int


class Authorization(Protocol):
    """
    Conta Azul's authorization server.

    Both raise InvalidGrant, ApiUnavailable when the answer is lost or useless (the server may have done it), and
    ConfigurationError when it does not know our application.
    """

    async def exchange(self, code: str) -> Grant:
        """Return the tokens of a code; it works once."""

    async def refresh(self, token: str) -> Grant:
        """Return new tokens; *token* is dead afterwards, also when the answer is lost."""


def read_grant(status: int, body: bytes) -> Grant:
    """
    Return the tokens of an answer.

    An answer without a refresh token is useless, not a token called ``None``: the old one is kept.

    Raises:
        InvalidGrant: The code or token is used up, expired, or of another address.
        ConfigurationError: CONTA_AZUL_CLIENT_ID or CONTA_AZUL_CLIENT_SECRET is wrong.
        ApiUnavailable: Anything else.
    """
    if status >= _SERVER_ERROR:
        raise ApiUnavailable(f"Conta Azul's sign-in answers with {status}.")
    found = answers.exact_json(body)
    if not isinstance(found, dict):
        raise UnreadableAnswer("the answer is no object")
    if status != _OK:
        raise _refusal(status, str(found.get("error", "")))
    expires = found.get("expires_in")
    if not isinstance(expires, int) or expires <= 0:
        raise UnreadableAnswer("the answer does not say how long the token lives")
    return Grant(
        access=_token(found.get("access_token")),
        refresh=_token(found.get("refresh_token")),
        expires_s=min(expires, EXPIRES_S_MAX),
    )


def _refusal(status: int, error: str) -> Exception:
    match error:
        case "invalid_grant":
            return InvalidGrant()
        case "invalid_client" | "unauthorized_client":
            return ConfigurationError("Conta Azul does not know CONTA_AZUL_CLIENT_ID with CONTA_AZUL_CLIENT_SECRET.")
    return ApiUnavailable(f"Conta Azul's sign-in answers with {status}.")


def _token(value: Any) -> str:
    if not isinstance(value, str) or not (value.isascii() and value.isprintable() and value):
        raise UnreadableAnswer("the answer lacks a token")
    return value
