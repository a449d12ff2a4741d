from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from distributor.settings import ALL, about
from foundation.settings.groups import SettingsGroup
from foundation.settings.reading import problems

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `([A-Z][A-Z0-9_]+(?:<[A-Z]+>)?)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def table(file: str, required: str) -> list[tuple[str, str | None, str]]:
    """Return name, default and meaning of each setting in a paper's table."""
    defaults = {required: None, "–": ""}  # noqa: RUF001 -- the dash the table shows
    rows = ROW.findall((ROOT / file).read_text(encoding="utf-8"))
    return [(name, defaults.get(default, default.strip("`")), meaning) for name, default, meaning in rows]


def test_the_readme_says_of_every_setting_what_the_code_does() -> None:
    """Names, defaults, meanings and their order."""
    assert table("README.md", "required") == [(name, one.default, one.meaning) for name, one in about().items()]


def test_the_portuguese_readme_has_the_same_settings() -> None:
    """The meanings are in Portuguese; a person keeps those."""
    rows = [(name, default) for name, default, _ in table("README.pt-BR.md", "obrigatória")]

    assert rows == [(name, one.default) for name, one in about().items()]


@pytest.mark.parametrize("use", ALL)
def test_the_example_settings_are_complete(use: type[SettingsGroup]) -> None:
    """Copied and started, nothing is missing for any use case."""
    example = json.loads((ROOT / "local.settings.json.example").read_text(encoding="utf-8"))

    assert problems(use, example["Values"], {}) == []
