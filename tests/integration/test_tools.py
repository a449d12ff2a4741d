"""Tools in environments of their own: made once, and never half."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstack import paths, tools
from devstack.console import StepFailed

NOTHING = "--help"
"""pip answers it with success and installs nothing: no registry is asked."""
IMPOSSIBLE = "--no-index there-is-no-such-package"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep this test's environments apart."""
    monkeypatch.setattr(paths, "STATE", tmp_path)
    return tmp_path


def test_an_environment_is_made_once() -> None:
    """The second call finds it; another wish makes another one."""
    scripts = tools.scripts_of("tool", [NOTHING])
    witness = scripts / "witness"
    witness.touch()

    assert tools.scripts_of("tool", [NOTHING]) == scripts
    assert witness.exists()


def test_what_failed_is_made_again(state: Path) -> None:
    """It fails with pip's words at hand, and is not taken for an installation next time."""
    for _ in range(2):
        with pytest.raises(StepFailed, match="there-is-no-such-package"):
            tools.scripts_of("tool", [IMPOSSIBLE])

    (log,) = state.glob("tools/*/install.log")
    assert "No matching distribution" in log.read_text("utf-8")
