"""The real ``az``, in its own environment."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.papers import Line

_PARSER = Path(__file__).with_name("parse_az.py")
_TIMEOUT_S = 180


@dataclass(frozen=True, kw_only=True)
class Az:
    """An installed ``az``, and what leads it to the stand-in, if anything does."""

    python: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one command line; a refusal is a result."""
        return self._start(["-m", "azure.cli", *arguments], "")

    def parse(self, shown: Sequence[Line]) -> list[str]:
        """Return for each line what ``az`` says is wrong with it; nothing when it would be run."""
        ended = self._start([str(_PARSER)], json.dumps([line.arguments for line in shown]))
        assert ended.returncode == 0, ended.stderr
        told: list[str] = json.loads(ended.stdout)
        return told

    def _start(self, arguments: Sequence[str], given: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.python), *arguments],
            env={**os.environ, **self.environment, "NO_PROXY": "127.0.0.1"},
            input=given,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
