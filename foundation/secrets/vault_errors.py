"""What a vault's refusal means, and what to do about it: one sentence that fits after a setting's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foundation.settings.references import VaultItem

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError

FORBIDDEN, NOT_FOUND = 403, 404
_DISABLED = ("SecretDisabled", "KeyDisabled")


def explain(error: AzureError, item: VaultItem, role: str) -> str:
    """Return what is wrong and what to do, by what the vault or the sign-in said; never a value."""
    from azure.core.exceptions import ClientAuthenticationError  # noqa: PLC0415 -- only where a vault is needed

    status, code = status_of(error), _code(error)
    where = f"{item.name} in {item.vault_url}"
    if code in _DISABLED:
        return f"is disabled: enable {where}, or name another version"
    if status == FORBIDDEN:
        advice = f"give this identity the role {role} on {item.vault_url}, and check its firewall"
        return f"may not be used: {advice} ({code})"
    if status == NOT_FOUND:
        return f"is not in the vault: no {where}" + (f", version {item.version}" if item.version else "")
    if isinstance(error, ClientAuthenticationError):
        return f"cannot be used: no sign-in to {item.vault_url}; use a managed identity, or `az login`"
    if status is not None:
        return f"cannot be used: {item.vault_url} answered {status}"
    return f"cannot be used: {item.vault_url} does not answer; check the name and the network"


def is_withdrawn(error: AzureError) -> bool:
    """Tell whether the vault answered that the item is deleted or disabled, and not only that it does not tell."""
    return status_of(error) == NOT_FOUND or _code(error) in _DISABLED


def status_of(error: AzureError) -> int | None:
    """Return the HTTP status the vault answered with; None when it did not answer."""
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else None


def _code(error: AzureError) -> str:
    """Return the innermost error code. Source: https://learn.microsoft.com/azure/key-vault/general/rest-error-codes."""
    detail = getattr(error, "error", None)
    inner = getattr(detail, "innererror", None) or {}
    return str(inner.get("code") or getattr(detail, "code", None) or "no code")
