"""Where the command line gets its settings: the environment, a file, or a deployed app by the Azure CLI."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest

from distributor.cli import main
from distributor.cli.deployed import deployed_settings
from foundation.errors import ConfigurationError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for az is a script of the shell")
APP = [
    {"name": "CHAIN_ID", "value": "137", "slotSetting": False},
    {"name": "AzureWebJobsStorage__accountName", "value": "stballx", "slotSetting": False},
    {"name": "AzureWebJobsStorage__credential", "value": "managedidentity", "slotSetting": False},
    {"name": "WEBSITE_RUN_FROM_PACKAGE", "value": "1", "slotSetting": False},
]
"""As `az functionapp config appsettings list -o json` prints it (Azure CLI 2.x)."""


@pytest.fixture
def az(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the Azure CLI, alone on the path: it answers for one app and refuses every other."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    answer = tmp_path / "answer.json"
    answer.write_text(json.dumps(APP), "utf-8")
    script = tmp_path / "az"
    script.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        f'  "functionapp config appsettings list -g group -n app -o json") cat {answer} ;;\n'
        '  *) echo "WARNING: an older version" >&2; echo "ERROR: (ResourceNotFound) no such app" >&2; exit 3 ;;\n'
        "esac\n",
        "utf-8",
    )
    script.chmod(script.stat().st_mode | stat.S_IEXEC)
    return script


def test_a_deployed_apps_settings_are_read(az: Path) -> None:
    """On top of the environment; how the app itself signs in is left out, for a person signs in as a person."""
    found = deployed_settings("group/app")

    assert az.exists()
    assert (found["CHAIN_ID"], found["AzureWebJobsStorage__accountName"]) == ("137", "stballx")
    assert found.keys() & {"AzureWebJobsStorage__credential", "WEBSITE_RUN_FROM_PACKAGE"} == set()
    assert found["PATH"].startswith(str(az.parent))


@pytest.mark.parametrize(("app", "said"), [("group/other", "no such app"), ("app", "GROUP/NAME"), ("/app", "GROUP/")])
@pytest.mark.usefixtures("az")
def test_an_app_that_is_not_there_is_named(app: str, said: str) -> None:
    """By the Azure CLI's own last line."""
    with pytest.raises(ConfigurationError, match=said):
        deployed_settings(app)


def test_without_the_azure_cli_the_runbook_says_how_to_connect(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is guessed."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ConfigurationError, match="runbook"):
        deployed_settings("group/app")


def test_each_setting_that_is_missing_has_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing else is printed, for nothing was asked."""
    file = tmp_path / "local.settings.json"
    file.write_text(json.dumps({"Values": {"LEDGER_TABLE": "1x"}}), "utf-8")

    code = main(["balance", "--settings", str(file)])

    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert (code, said.out) == (2, "")
    assert {line.split()[0] for line in lines} >= {"CHAIN_ID", "RPC_URL", "AUTHORITY_ADDRESS", "LEDGER_TABLE"}
    assert len(lines) == len({line.split()[0] for line in lines})


def test_a_file_and_an_app_are_not_given_together(capsys: pytest.CaptureFixture[str]) -> None:
    """One of them would be ignored."""
    assert main(["show", "--settings", "x.json", "--app", "group/app"]) == 2
    assert "not both" in capsys.readouterr().err
