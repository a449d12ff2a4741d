"""
Who the platform says has signed in, with Entra ID, before a request came here.

App Service authentication ("Easy Auth") puts the person's claims into a header, and takes that header away from
every request from outside. Where it is off, or before a container, nobody takes it away: anybody may write it. So
the header is read only where three things hold: the settings ask for it, the platform itself says that it signs
people in, and this is no container. Then every claim that matters is compared exactly, and what cannot be read is
refused: it is never a person without a name.

Sources:
    https://learn.microsoft.com/azure/app-service/configure-authentication-user-identities (the header, its fields)
    https://learn.microsoft.com/azure/app-service/reference-app-settings (``WEBSITE_AUTH_ENABLED``, put in by the
    platform; ``True``, as Microsoft.Identity.Web's AppServicesAuthenticationInformation reads it)
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from foundation.console.sessions import Role, TokenHolder
from foundation.errors import ServiceError
from foundation.json_depth import read_shallow

HEADER: Final = "X-MS-CLIENT-PRINCIPAL"
BYTES_MAX: Final = 32_768
"""A person in two hundred groups has some twenty kilobytes."""
IMAGE: Final = "CONSOLE_IN_CONTAINER"
"""Our own image sets it (Dockerfile)."""
_CONTAINERS: Final = (IMAGE, "CONTAINER_APP_NAME", "DOCKER_CUSTOM_IMAGE_NAME", "KUBERNETES_SERVICE_HOST")
"""Set where an image runs: ours, Container Apps, an image on an App Service plan, Kubernetes."""
_ENABLED: Final = "WEBSITE_AUTH_ENABLED"
_PROVIDER: Final = "aad"
_DEPTH_MAX: Final = 4
_IDENTITY: Final = "http://schemas.microsoft.com/identity/claims"
_TENANT: Final = frozenset({"tid", f"{_IDENTITY}/tenantid"})
_OBJECT: Final = frozenset({"oid", f"{_IDENTITY}/objectidentifier"})
_AUDIENCE: Final = frozenset({"aud"})
_NAME: Final = frozenset({"preferred_username"})
_ROLES: Final = frozenset({"roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"})
"""The platform maps some names of claims to longer ones."""
_PERSON_NAME: Final = re.compile(r"[a-z0-9._%+'-]{1,64}@[a-z0-9.-]{1,190}")


class PrincipalUnreadable(ServiceError):
    """The platform's word about who signed in cannot be read."""


class PrincipalRefused(ServiceError):
    """Somebody signed in who may not come in here."""


def platform_signs_in(environ: Mapping[str, str]) -> bool:
    """Say whether the platform itself says that it signs people in, and this process runs in no container."""
    return environ.get(_ENABLED, "").lower() == "true" and not any(environ.get(name) for name in _CONTAINERS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entra:
    """
    The one application of the one tenant whose people may come in.

    Args:
        tenant: The directory's id.
        client: The application's id, for which the person's token was made.
    """

    tenant: str
    client: str

    def person(self, header: str) -> TokenHolder:
        """
        Return the person *header* names, with the greater of their roles.

        Raises:
            PrincipalUnreadable: It is not what the platform writes.
            PrincipalRefused: Another tenant, another application, or no role of this console.
        """
        claims = _claims(header)
        tenant, client = _the_one(claims, _TENANT), _the_one(claims, _AUDIENCE)
        subject, name = _the_one(claims, _OBJECT), _the_one(claims, _NAME).lower()
        if not _PERSON_NAME.fullmatch(name):
            raise PrincipalUnreadable("preferred_username is no name of a person")
        if (tenant, client) != (self.tenant, self.client):
            raise PrincipalRefused(f"{name} signed in to another tenant or application")
        return TokenHolder(name=name, role=_role(claims, name), token=f"entra\0{tenant}\0{client}\0{subject}")


def _claims(header: str) -> list[tuple[str, str]]:
    """Return the claims as pairs. Raises PrincipalUnreadable."""
    try:
        said = read_shallow(base64.b64decode(header[: BYTES_MAX + 1].encode("ascii"), validate=True), _DEPTH_MAX)
        provider, claims = said["auth_typ"], [_claim(each) for each in said["claims"]]
    except (binascii.Error, ValueError, TypeError, KeyError) as error:
        raise PrincipalUnreadable(f"not what the platform writes ({type(error).__name__})") from None
    if len(header) > BYTES_MAX or provider != _PROVIDER:
        raise PrincipalUnreadable("too long, or of another provider")
    return claims


def _claim(each: Mapping[str, Any]) -> tuple[str, str]:
    kind, value = each["typ"], each["val"]
    if not (isinstance(kind, str) and isinstance(value, str)):
        raise TypeError("a claim is not text")
    return kind, value


def _the_one(claims: list[tuple[str, str]], kinds: frozenset[str]) -> str:
    """Return the only value of a claim, under any of its names. Raises PrincipalUnreadable if there are none or two."""
    values = {value for kind, value in claims if kind in kinds}
    if len(values) != 1:
        raise PrincipalUnreadable(f"{len(values)} values of {min(kinds)}")
    return values.pop()


def _role(claims: list[tuple[str, str]], name: str) -> Role:
    held = {value for kind, value in claims if kind in _ROLES}
    found = next((role for role in (Role.OPERATOR, Role.VIEWER) if f"console.{role}" in held), None)
    if found is None:
        raise PrincipalRefused(f"{name} has no role of this console")
    return found
