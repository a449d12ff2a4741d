"""Our client of the sign-in and the stand-in's: codes, rotating tokens, errors."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from devstack.conta_azul.faults import Fault
from devstack.conta_azul.serve import CLIENT_ID, CLIENT_SECRET
from foundation.errors import ConfigurationError
from payflow.adapters.authorization import AuthorizationServer
from payflow.connect.grants import InvalidGrant
from payflow.errors import ApiUnavailable
from tests.fakes.conta_azul import COMPANY, REDIRECT_URI, Tenant, tenant


@pytest.fixture
async def clinic() -> AsyncIterator[Tenant]:
    """A clinic at the stand-in."""
    async with tenant() as found:
        yield found


def server(clinic: Tenant, *, secret: str = CLIENT_SECRET) -> AuthorizationServer:
    """Return our client of its sign-in."""
    url = f"{clinic.server.base_url}/oauth2/token"
    return AuthorizationServer(clinic.http, url, client_id=CLIENT_ID, client_secret=secret, redirect_uri=REDIRECT_URI)


async def test_a_code_works_once(clinic: Tenant) -> None:
    """And not after three minutes."""
    code, late = (clinic.server.sign_in.code(COMPANY, REDIRECT_URI) for _ in range(2))

    grant = await server(clinic).exchange(code)

    assert grant.expires_s == 3600
    with pytest.raises(InvalidGrant):
        await server(clinic).exchange(code)
    clinic.time.now_s += 181
    with pytest.raises(InvalidGrant):
        await server(clinic).exchange(late)


async def test_a_refresh_token_works_once(clinic: Tenant) -> None:
    """Each renewal ends the one before."""
    first = await server(clinic).exchange(clinic.server.sign_in.code(COMPANY, REDIRECT_URI))

    second = await server(clinic).refresh(first.refresh)

    assert second.refresh != first.refresh
    with pytest.raises(InvalidGrant):
        await server(clinic).refresh(first.refresh)
    await server(clinic).refresh(second.refresh)


async def test_a_lost_answer_has_used_the_token_up(clinic: Tenant) -> None:
    """That is why a grant is stored before anything else."""
    first = await server(clinic).exchange(clinic.server.sign_in.code(COMPANY, REDIRECT_URI))
    clinic.server.script.add(Fault(kind="lost", on="oauth2/token"))

    with pytest.raises(ApiUnavailable):
        await server(clinic).refresh(first.refresh)
    with pytest.raises(InvalidGrant):
        await server(clinic).refresh(first.refresh)


async def test_a_server_error_has_not(clinic: Tenant) -> None:
    """The same token is asked with again."""
    first = await server(clinic).exchange(clinic.server.sign_in.code(COMPANY, REDIRECT_URI))
    clinic.server.script.add(Fault(kind="503", on="oauth2/token"))

    with pytest.raises(ApiUnavailable):
        await server(clinic).refresh(first.refresh)
    await server(clinic).refresh(first.refresh)


async def test_a_wrong_secret_is_a_setting(clinic: Tenant) -> None:
    """It names the settings and is never taken for a dead connection."""
    with pytest.raises(ConfigurationError, match="CONTA_AZUL_CLIENT_SECRET"):
        await server(clinic, secret="wrong").refresh("x")


async def test_a_revoked_connection_is_invalid(clinic: Tenant) -> None:
    """The clinic can take it away in Conta Azul."""
    first = await server(clinic).exchange(clinic.server.sign_in.code(COMPANY, REDIRECT_URI))
    clinic.server.sign_in.revoke(COMPANY)

    with pytest.raises(InvalidGrant):
        await server(clinic).refresh(first.refresh)
