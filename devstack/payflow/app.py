"""The app's folder as it is deployed, and the settings it runs with."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from devstack import paths, servers, setup, stack
from devstack.console import StepFailed
from devstack.conta_azul.serve import CLIENT_ID, CLIENT_SECRET
from devstack.host.keys import MASTER_SETTING
from devstack.host.times import STOP_SETTING
from devstack.runs import Run
from devstack.stack import FunctionsHost

PARTS = ("payflow", "foundation")


def folder(run: Run) -> Path:
    """Make the folder that is deployed: its entry is called function_app.py, its host.json is PayFlow's own."""
    app = run.folder / "payflow-app"
    app.mkdir()
    (app / "function_app.py").write_bytes((paths.ROOT / "payflow_app.py").read_bytes())
    (app / "host.json").write_bytes((paths.ROOT / "payflow" / "host.json").read_bytes())
    for part in PARTS:
        (app / part).symlink_to(paths.ROOT / part, target_is_directory=True)
    return app


def settings(
    storage: servers.Azurite, *, conta_azul: str, url: str, master_key: str, mail: Mapping[str, str]
) -> dict[str, str]:
    """Return the app's settings; both accounts are the emulator's, in tables of their own."""
    return {
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "AzureWebJobsStorage": storage.connection_string,
        "SEND_LOG_STORAGE": storage.connection_string,
        "ENVIRONMENT": "development",
        "OVERRIDE_RECIPIENT_EMAIL": "inbox@payflow.example",
        "MASTER_KEY": master_key,
        "BALLX_USE_KV": "0",
        "CONTA_AZUL_CLIENT_ID": CLIENT_ID,
        "CONTA_AZUL_CLIENT_SECRET": CLIENT_SECRET,
        "CONTA_AZUL_REDIRECT_URI": f"{url}/oauth/callback",
        "CONTA_AZUL_API_BASE_URL": conta_azul,
        "CONTA_AZUL_AUTH_URL": f"{conta_azul}/oauth2/authorize",
        "CONTA_AZUL_TOKEN_URL": f"{conta_azul}/oauth2/token",
        "INSIDE_NETWORKS": "127.0.0.0/8",
        "POLLING_INTERVAL_SECONDS": "60",
        "SMTP_FROM": "recibos@payflow.example",
        stack.CONSOLE_TOKEN: secrets.token_hex(32),
        "CONSOLE_OPERATORS": stack.CONSOLE_PERSON,
        "CONSOLE_KEY": secrets.token_hex(32),
        "CONSOLE_URL": url,
        MASTER_SETTING: stack.MASTER_KEY,
        STOP_SETTING: "2",
        **mail,
    }


def command(run: Run, environment: Mapping[str, str], *arguments: str) -> str:
    """Run a command of PayFlow's operator; return what it said. Raises StepFailed."""
    ended = subprocess.run(
        [sys.executable, "-m", "payflow", *arguments],
        cwd=paths.ROOT,
        env=_environment(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    run.log("payflow-commands").open("a", encoding="utf-8").write(ended.stdout + ended.stderr)
    if ended.returncode:
        raise StepFailed(f"`python -m payflow {arguments[0]}` says: {ended.stderr.strip()}")
    return ended.stdout.strip()


def by_hand(run: Run, environment: Mapping[str, str]) -> Path:
    """Write, for this user alone, a file that runs PayFlow's commands with the settings of this run; return it."""
    file = run.folder / "by-hand.py"
    file.touch(mode=0o600)
    lines = (
        '"""PayFlow\'s command line, with the settings of this run."""',
        "import os, sys",
        f"sys.path.insert(0, {str(paths.ROOT)!r})",
        f"os.environ.update({dict(environment)!r})",
        "from payflow.cli.commands import main",
        "sys.exit(main(sys.argv[1:]))",
    )
    file.write_text("\n".join((*lines, "")), encoding="utf-8")
    return file


@contextmanager
def host(run: Run, app: Path, environment: Mapping[str, str], port: int) -> Iterator[FunctionsHost]:
    """Run the app in our Functions host until the block ends."""
    options = ["--app", str(app), "--port", str(port), "--runtime", str(setup.RUNTIME)]
    started = [sys.executable, "-m", "devstack.host", *options, "--no-local-settings", "--restart"]
    with servers.child("host", started, log=run.log("host"), environment=_environment(environment)) as server:
        url = f"http://127.0.0.1:{port}"
        stack.first_answer(url, server)
        yield FunctionsHost(url=url, process=server.process)


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    """Return what a process needs to run, with *ours* and no setting of the shell's."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "SYSTEMROOT", "TEMP", "TMP")
    base = {name: os.environ[name] for name in kept if name in os.environ}
    return {**base, "PYTHONPATH": str(paths.ROOT), "PYTHONUNBUFFERED": "1", **ours}
