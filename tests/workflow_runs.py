"""
Runs the scripts of the workflows and of azure.yaml, with stand-ins for what they call: what is called, and what is not.

A stand-in writes down how it was called, answers what a test lets it answer, and fails where a test lets it fail. The
shell and its small tools are real; every other command is unknown, so that nothing is ever run in earnest. What all of
it calls is kept (deployed/calls.txt), so that a step that does nothing any more is seen:

    python -m tests.workflow_runs    # after a change of a workflow or of azure.yaml; then look at the difference
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from devstack import paths

KEPT = Path(__file__).with_name("deployed") / "calls.txt"
WORKFLOWS = sorted((paths.ROOT / ".github" / "workflows").glob("*.yml"))
AZD = paths.ROOT / "azure.yaml"
_REAL = ("bash", "sh", "cat", "cp", "diff", "env", "grep", "mkdir", "openssl", "sed", "tail", "tee", "test", "tr")
_CALLED = (
    "az", "azd", "bicep", "cosign", "curl", "docker", "func", "npm", "pip", "pipx", "python", "python3", "seq",
    "sha256sum", "sleep", "timeout",
)  # fmt: skip
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
_STAND_IN = """\
#!/bin/sh
line="${0##*/} $*"
printf '%s\\n' "$(printf %s "$line" | tr '\\n' ' ')" >> "$ROOM/calls"
. "$ROOM/answers"
[ -n "$FAILING" ] && case "$line" in "$FAILING"*) exit 1;; esac
exit 0
"""
ANSWERS = """\
case "$line" in
  "python3 -c "*) shift; exec "$PYTHON" -c "$@";;
  "timeout "*) shift; exec /usr/bin/timeout 2 "$@";;
  "seq "*) echo 1; echo 2; exit 0;;
  "$FAILING"*) [ -z "$FAILING" ] || exit 1;;
esac
case "$line" in
  *"devstack services"*) echo "then: func start";;
  *7071/healthz) grep -q "^func start" "$ROOM/calls" || exit 1;;
  *8080/healthz) grep -q "^docker run --detach" "$ROOM/calls" || exit 1;;
  *outputs.appName*) echo func-ballx;;
  *outputs.ledgerName*) echo stpayflow;;
  *outputs.appUrl*) echo https://func-payflow.example;;
  *outputs.webhookUrl*) echo https://func-ballx.example/webhook;;
  *"/orders/"*|*"distributor order"*) echo '{"status": "paid"}';;
  *"docker run --rm --env KEYVAULT_URI="*) echo "KEYVAULT_URI is not the URL of a vault"; exit 1;;
  *"--entrypoint id"*) echo 10001;;
  "bicep format "*) cat "$2";;
  "bicep snapshot "*) echo '{"diagnostics": []}' > "${2%.bicepparam}.snapshot.json";;
  "azd env get-value "*)
    if grep -q "^$3=" "$ROOM/values"; then sed -n "s/^$3=//p" "$ROOM/values" | tail -n 1; exit 0; fi
    echo "ERROR: key '$3' not found in the environment values"; exit 1;;
  "azd env set "*) printf '%s=%s\\n' "$3" "$4" >> "$ROOM/values";;
  "docker image inspect "*) echo registry.example/ballx@sha256:0a;;
  "az ad signed-in-user show"*) echo 44444444-4444-4444-4444-444444444444;;
esac
"""
"""
What each stand-in answers where all goes well; nothing is waited for, nor asked more than twice. Of an unknown key
``azd env get-value`` writes to its standard output, as azd does
(https://github.com/Azure-Samples/holiday-peak-hub/pull/841).
"""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a script ended."""

    code: int
    said: str
    calls: list[str]
    """Each once, in the order of the first: what is asked until it answers may be asked often."""


@dataclass
class Room:
    """A folder with the repository's files that scripts read, and no command but the stand-ins."""

    folder: Path
    answers: str = ANSWERS
    values: Mapping[str, str] = field(default_factory=dict)
    """What azd's environment holds."""

    def __post_init__(self) -> None:
        tools = self.folder / "bin"
        for place in (tools, self.folder / ".azure" / "bin", self.folder / ".venv" / "bin"):
            place.mkdir(parents=True)
        for name in _REAL:
            (tools / name).symlink_to(str(shutil.which(name)))
        for name in _CALLED:
            place = {"bicep": self.folder / ".azure" / "bin", "python": self.folder / ".venv" / "bin"}.get(name, tools)
            (place / name).write_text(_STAND_IN, "ascii")
            (place / name).chmod(0o755)
        (self.folder / ".venv" / "bin" / "pip").symlink_to(tools / "pip")
        (self.folder / ".venv" / "bin" / "activate").write_text("", "ascii")
        shutil.copytree(paths.ROOT / "infra", self.folder / "infra")
        for name in ("local.settings.json.example", "local.settings.json"):
            shutil.copy(paths.ROOT / "local.settings.json.example", self.folder / name)
        for name in ("dist/app.zip", "out.txt"):
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_bytes(b"")

    def run(self, shell: Sequence[str], script: str, variables: Mapping[str, str], failing: str = "") -> Ended:
        """Run *script*; every call that begins with *failing* ends with code 1."""
        calls = self.folder / "calls"
        calls.write_text("", "utf-8")
        (self.folder / "answers").write_text(self.answers, "utf-8")
        (self.folder / "values").write_text("".join(f"{key}={text}\n" for key, text in self.values.items()), "utf-8")
        own = {"PATH": str(self.folder / "bin"), "HOME": str(self.folder), "ROOM": str(self.folder), "FAILING": failing}
        ended = subprocess.run(
            [*shell, script],
            env={**variables, **own, "PYTHON": sys.executable, "PWD": str(self.folder)},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        lines = [line.rstrip() for line in calls.read_text("utf-8").replace(str(self.folder), "~").splitlines()]
        told = [*dict.fromkeys(line for line in lines if _told(line))]
        return Ended(code=ended.returncode, said=ended.stdout + ended.stderr, calls=told)


def _told(line: str) -> bool:
    return not line.startswith(("sleep ", "timeout ", "seq ", "python3 -c "))


@dataclass(frozen=True, kw_only=True)
class Step:
    """A script of a workflow, or a hook of azd."""

    name: str
    shell: Sequence[str]
    script: str
    variables: Mapping[str, str]
    after_failure: bool = False


BASH = ("bash", "-e", "-c")
"""
As GitHub runs a script that names no shell, and so without ``pipefail``.

Source: https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstepsshell
"""
SH = ("sh", "-c")
_GITHUB = {"GITHUB_SHA": "c0ffee", "GITHUB_SERVER_URL": "https://github.example", "GITHUB_REPOSITORY": "o/r"}


def steps() -> Iterator[Step]:
    """Yield every script."""
    for path in WORKFLOWS:
        for job, body in yaml.safe_load(path.read_text("utf-8"))["jobs"].items():
            for number, step in enumerate(body.get("steps", []), start=1):
                if "run" in step:
                    yield Step(
                        name=f"{path.stem}/{job}/{number}",
                        shell=BASH,
                        script=_filled(step["run"]),
                        variables={**_GITHUB, **_variables(body), **_variables(step)},
                        after_failure="failure()" in str(step.get("if")),
                    )


def _variables(of: Mapping[str, Any]) -> dict[str, str]:
    return {key: _filled(str(text)) for key, text in of.get("env", {}).items()}


def hooks() -> Iterator[Step]:
    """Yield every hook of azd."""
    for name, hook in yaml.safe_load(AZD.read_text("utf-8"))["hooks"].items():
        yield Step(name=f"azd/{name}", shell=SH, script=hook["posix"]["run"], variables={})


GIVEN = {
    "AUTHORITY_ADDRESS": "0xa", "TOKEN_ADDRESS": "0xb", "RESERVE_ADDRESS": "0xc", "ALERT_EMAIL": "you@example.com",
    "LEDGER_ID": "none", "AZURE_RESOURCE_GROUP": "ballx-test", "appName": "func-ballx", "vaultName": "kv-ballx",
    "webhookUrl": "https://func-ballx.example/webhook", "PAYFLOW": "yes", "CONTA_AZUL_CLIENT_ID": "an-application",
    "SMTP_FROM": "r@example.com", "SMTP_HOST": "smtp.example.com", "SMTP_USER": "r@example.com",
    "OVERRIDE_RECIPIENT_EMAIL": "you@example.com",
}  # fmt: skip
"""What the person has set, and what the deployment put out."""


def _filled(text: str) -> str:
    """Put a word in the place of each expression."""
    return _EXPRESSION.sub(lambda found: _word(found[1]), text)


def _word(expression: str) -> str:
    return {"github.sha": "c0ffee", "inputs.environment": "test"}.get(
        expression, expression.rpartition(".")[2].split()[0]
    )


def called() -> Iterator[str]:
    """Yield what is kept: of each job when it runs, each action with its inputs, each call of its scripts."""
    scripts = {each.name: each for each in (*steps(), *hooks())}
    for path in WORKFLOWS:
        document = yaml.safe_load(path.read_text("utf-8"))
        others = {key: body for key, body in document.items() if key not in {"name", "jobs", True}}
        yield f"{path.stem}: on {document[True]} {others}"  # YAML takes the word on for a truth
        for job, body in document["jobs"].items():
            yield f"  {job} { ({key: part for key, part in body.items() if key != 'steps'}) }"
            for number, step in enumerate(body.get("steps", []), start=1):
                when = f" if {step['if']}" if "if" in step else ""
                if "uses" in step:
                    yield f"    {number}{when}: uses {step['uses'].partition('@')[0]} {step.get('with', {})}"
                else:
                    yield from (
                        f"    {number}{when}: {line}" for line in ran(scripts[f"{path.stem}/{job}/{number}"]).calls
                    )
    azd = yaml.safe_load(AZD.read_text("utf-8"))
    yield f"azd: { ({key: part for key, part in azd.items() if key != 'hooks'}) }"
    for hook in hooks():
        how = {key: part for key, part in azd["hooks"][hook.name.partition("/")[2]]["posix"].items() if key != "run"}
        yield f"{hook.name} {how}"
        yield from (f"    {line}" for line in ran(hook, values=GIVEN).calls)


def ran(step: Step, *, failing: str = "", answers: str = "", values: Mapping[str, str] | None = None) -> Ended:
    """
    Run one script in a room of its own.

    Args:
        step: The script.
        failing: Beginning of the calls that fail.
        answers: Put before the usual ones: a body of shell that may exit.
        values: What azd's environment holds.
    """
    with TemporaryDirectory() as folder:
        room = Room(folder=Path(folder), answers=answers + ANSWERS, values=GIVEN if values is None else values)
        return room.run(step.shell, step.script, step.variables, failing)


def kept() -> str:
    """Return the text that is kept."""
    return "\n".join(called()) + "\n"


if __name__ == "__main__":
    KEPT.write_text(kept(), "utf-8")
