"""The plugin's pure PHP classes, called from Python: two implementations of one rule can then be compared."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devstack.wordpress.parts import Parts
from devstack.wordpress.site import PLUGIN


class Problem(Exception):
    """The plugin's InvalidOrder; its text is the code."""


@dataclass(frozen=True, slots=True)
class Php:
    """One PHP process for many calls."""

    process: subprocess.Popen[str] = field(repr=False)

    def call(self, name: str, *arguments: Any) -> Any:
        """
        Call the static method *name*, such as ``Wallet::parse``; return what it returns.

        Bytes arrive as a PHP string of these bytes.

        Raises:
            Problem: It threw InvalidOrder.
        """
        given = [{"hex": argument.hex()} if isinstance(argument, bytes) else argument for argument in arguments]
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps([*name.split("::"), given]), file=self.process.stdin, flush=True)
        said = json.loads(self.process.stdout.readline())
        if "problem" in said:
            raise Problem(said["problem"])
        return said["returned"]


@contextmanager
def php_calls(parts: Parts) -> Iterator[Php]:
    """Run the PHP process until the block ends."""
    command = parts.php(str(Path(__file__).with_suffix(".php")), str(PLUGIN))
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=parts.environment()) as process:
        yield Php(process)
        assert process.stdin
        process.stdin.close()
