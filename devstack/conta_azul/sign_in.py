"""
The sign-in: authorization codes, rotating refresh tokens.

A code lives three minutes and works once [D faq]. Every renewal gives a new refresh token and ends the old one [D];
whether the old one lives on for a short grace is not known [?]: here it does not, unless ``grace_s`` says so.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from devstack.conta_azul.books import Now

ACCESS_S = 3600
CODE_S = 180
SCOPES = frozenset({"openid", "profile", "aws.cognito.signin.user.admin"})


class OAuthError(Exception):
    """An answer of the token endpoint that is an error."""

    def __init__(self, error: str, status: int = 400) -> None:
        super().__init__(error)
        self.error, self.status = error, status


@dataclass(kw_only=True)
class Client:
    """An application of the developer portal."""

    client_id: str
    client_secret: str
    redirect_uris: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class _Grant:
    company: str
    until: float


class SignIn:
    """Every code and token that was given out."""

    def __init__(self, now: Now, client: Client) -> None:
        self.client = client
        self.grace_s = 0.0
        self.developer_account = False
        """The person signs in with the developer portal's account: the token gets 401 everywhere [F]."""
        self.asked: list[str] = []
        """Every refresh token that was presented."""
        self._now = now
        self._codes: dict[str, tuple[_Grant, str]] = {}
        self._access: dict[str, _Grant] = {}
        self._refresh: dict[str, str] = {}
        self._ending: dict[str, _Grant] = {}

    def check_authorize(self, query: dict[str, str]) -> str:
        """
        Return an error for the page, or an empty text.

        The redirect URI must be the registered one to the byte, and https; plain http only to a loopback address
        that was registered here, which the real one refuses too [F].
        """
        uri = query.get("redirect_uri", "")
        if query.get("client_id") != self.client.client_id:
            return "invalid_client"
        if uri not in self.client.redirect_uris or urlsplit(uri).scheme not in ("https", "http"):
            return "redirect_mismatch"
        if query.get("response_type") != "code":
            return "unsupported_response_type"
        if not set(query.get("scope", "").split()) <= SCOPES:
            return "invalid_scope"  # a scope with %2B in it ends here as well [P]
        return ""

    def code(self, company: str, redirect_uri: str) -> str:
        """Return a code for *company*."""
        code = secrets.token_urlsafe(16)
        self._codes[code] = (_Grant(company=company, until=self._now() + CODE_S), redirect_uri)
        return code

    def token(self, authorization: str, form: dict[str, str]) -> dict[str, object]:
        """Answer the token endpoint. Raises OAuthError."""
        self._check_client(authorization)
        match form.get("grant_type"):
            case "authorization_code":
                return self._answer(self._exchange(form))
            case "refresh_token":
                return self._answer(self._renew(form.get("refresh_token", "")))
        raise OAuthError("unsupported_grant_type")

    def company(self, authorization: str) -> str | None:
        """Return the company of a Bearer token that is alive."""
        scheme, _, token = authorization.partition(" ")
        grant = self._access.get(token) if scheme == "Bearer" else None
        return grant.company if grant and grant.until > self._now() else None

    def end_access(self) -> None:
        """End every access token, as if an hour had gone by."""
        self._access.clear()

    def revoke(self, company: str) -> None:
        """Take the connection away, as its user can in Conta Azul."""
        self._refresh = {token: of for token, of in self._refresh.items() if of != company}
        self._ending = {token: grant for token, grant in self._ending.items() if grant.company != company}

    def _check_client(self, authorization: str) -> None:
        scheme, _, encoded = authorization.partition(" ")
        try:
            said = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            said = ""
        if scheme != "Basic" or said != f"{self.client.client_id}:{self.client.client_secret}":
            raise OAuthError("invalid_client", 401)

    def _exchange(self, form: dict[str, str]) -> str:
        grant, uri = self._codes.pop(form.get("code", ""), (_Grant(company="", until=0.0), ""))
        if grant.until <= self._now() or form.get("redirect_uri") != uri:
            raise OAuthError("invalid_grant")
        return grant.company

    def _renew(self, token: str) -> str:
        self.asked.append(token)
        company = self._refresh.pop(token, "")
        ending = self._ending.get(token)
        if not company and ending and ending.until > self._now():
            company = ending.company
        if not company:
            raise OAuthError("invalid_grant")
        self._ending[token] = _Grant(company=company, until=self._now() + self.grace_s)
        return company

    def _answer(self, company: str) -> dict[str, object]:
        access, refresh = secrets.token_urlsafe(48), secrets.token_urlsafe(48)
        self._access[access] = _Grant(company=company, until=self._now() + ACCESS_S)
        self._refresh[refresh] = company
        return {
            "access_token": access,
            "refresh_token": refresh,
            "expires_in": ACCESS_S,
            "token_type": "Bearer",
            "id_token": "x.y.z",  # Cognito with the scope openid [?]
        }
