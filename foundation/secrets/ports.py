"""What needs a secret asks for it by the name of its setting."""

from __future__ import annotations

from typing import Protocol


class Secrets(Protocol):
    """Where secrets come from."""

    async def get(self, name: str, *, fresh: bool = False) -> str | None:
        """
        Return the secret that a setting holds or refers to; None when it is set nowhere.

        Args:
            name: The setting.
            fresh: Ask the vault, also when its last answer is still kept.

        Raises:
            SecretWithdrawn: The reference names a secret that is deleted or disabled.
            ConfigurationError: A reference that cannot be resolved; names the setting, never the value.
        """

    async def aclose(self) -> None: ...
