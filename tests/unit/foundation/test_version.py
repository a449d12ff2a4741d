"""One version for all: the apps, the plugin, the changelog; and in a package the commit behind it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.package.stamp import stamp
from distributor.payout.lane import SCHEMA_LEVEL
from foundation import version as module
from foundation.version import RELEASE, version
from payflow.cli.commands import main as payflow

ROOT = Path(__file__).parents[3]
CHANGELOG = (ROOT / "docs" / "CHANGELOG.md").read_text("utf-8")
HEADING = re.compile(r"^## \[(?P<name>[^\]]+)\].*\n\n(?P<first>.*)$", re.MULTILINE)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """No test keeps what another one stamped."""
    version.cache_clear()
    yield
    version.cache_clear()


def test_sources_say_that_they_are_no_package() -> None:
    """The release alone would be taken for what was deployed."""
    assert version() == f"{RELEASE}+source"


def test_a_package_says_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was stamped."""
    (tmp_path / "stamp.json").write_text(stamp("payflow", "0123456789ab.changed", "3.12"))
    monkeypatch.setattr(module, "STAMP", tmp_path / "stamp.json")

    assert version() == f"{RELEASE}+0123456789ab.changed"
    assert json.loads((tmp_path / "stamp.json").read_text())["release"] == RELEASE


def test_the_plugin_has_the_same_version() -> None:
    """In its header, its constant and its readme."""
    plugin = ROOT / "wordpress" / "ballx-distributor"
    head, readme = (plugin / "ballx-distributor.php").read_text("utf-8"), (plugin / "readme.txt").read_text("utf-8")

    assert re.findall(r"\* Version: +(\S+)", head) == [RELEASE]
    assert re.findall(r"define\('BALLX_VERSION', '(.*)'\)", head) == [RELEASE]
    assert re.findall(r"Stable tag: (\S+)", readme) == [RELEASE]


def test_the_changelog_says_which_release_it_becomes_and_its_schema() -> None:
    """Each heading names the ledger's schema, so that a roll-back is decided by reading; the newest is the code's."""
    headings = HEADING.findall(CHANGELOG)
    (name, first), *_ = headings

    assert re.findall(r"ledger schema (\d+)", first) == [str(SCHEMA_LEVEL)]
    assert name == RELEASE or (name == "Unreleased" and f"Becomes {RELEASE}," in first)
    assert [found for found, line in headings if not re.search(r"ledger schema \d+", line)] == []


def test_payflows_operator_is_told_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    """Before any setting is read."""
    with pytest.raises(SystemExit) as ended:
        payflow(["--version"])

    assert (ended.value.code, capsys.readouterr().out.split()[-1]) == (0, version())
