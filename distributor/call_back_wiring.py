"""What tells the shops, built of the parts: for the timer's turn and for a person's test."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from distributor.call_backs.posting import Posting, Receiver
from distributor.call_backs.sender import CallBackTurn
from distributor.resources import Resources
from distributor.settings.call_backs import CallBackSettings
from distributor.settings.shop_secrets import SecretName
from foundation.clock import Clock
from foundation.outgoing.guard import OutgoingGuard


async def turn_of(parts: Resources, *, clock: Clock, holder: str) -> CallBackTurn:
    """Return the use case that tells the shops. Raises ConfigurationError."""
    return CallBackTurn(
        ledger=await parts.ledger(),
        receivers=await receivers_of(parts),
        fingerprints=await parts.fingerprints(),
        posting=await posting_of(parts, clock=clock),
        alarms=await parts.alarms(),
        clock=clock,
        holder=holder,
    )


async def posting_of(parts: Resources, *, clock: Clock) -> Posting:
    """Return the way out to the shops' addresses: inside ones only where the operator lists them."""
    settings = await parts.settings(CallBackSettings)
    return Posting(send=OutgoingGuard(inside=settings.inside_networks).send, clock=clock)


async def receivers_of(parts: Resources) -> Callable[[], Mapping[str, Receiver]]:
    """Return what gives each shop's address and its secrets of now; no secret is read where no address is set."""
    addresses = (await parts.settings(CallBackSettings)).addresses
    if not addresses:
        return dict[str, Receiver]
    keyring = await parts.keyring()

    def receivers() -> Mapping[str, Receiver]:
        secrets = keyring.secrets()
        return {source: _receiver(source, url, secrets) for source, url in addresses.items()}

    return receivers


def _receiver(source: str, url: str, secrets: Mapping[SecretName, str]) -> Receiver:
    names = (SecretName(source, "current"), SecretName(source, "previous"))
    return Receiver(source=source, url=url, secrets=[secrets[name] for name in names if name in secrets])
