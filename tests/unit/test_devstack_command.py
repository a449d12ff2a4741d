"""The commands of the local stack: any Python starts them, and they say what to do."""

import ast
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from devstack import __main__ as entry
from devstack import command, paths, run_tests, setup
from devstack.console import Console, Ended, StepFailed
from devstack.tally import tally

PYENV = Path.home() / ".pyenv" / "versions"


def old_pythons() -> list[str]:
    """Interpreters of this machine that are too old, with no newer one beside them; often there are none."""
    found = [shutil.which(f"python3.{minor}") for minor in range(6, 11)]
    found += [str(path) for path in sorted(PYENV.glob("3.*/bin/python"))]
    return [path for path in found if path and _is_old(path)]


def _is_old(python: str) -> bool:
    question = "import sys; sys.exit(not (3, 0) <= sys.version_info < (3, 11))"
    beside = Path(python).resolve().parent
    alone = not any((beside / f"python{version}").exists() for version in entry.NEWER)
    return alone and subprocess.run([python, "-c", question], check=False, capture_output=True).returncode == 0


OLD_PYTHONS = old_pythons()


def test_the_entry_is_readable_by_python_3_6() -> None:
    """An old Python must come as far as the sentence that says what to install."""
    for file in ("__init__.py", "__main__.py"):
        ast.parse((paths.ROOT / "devstack" / file).read_text("utf-8"), feature_version=(3, 6))


def test_an_old_python_alone_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit code 1; nothing of the project is imported."""
    monkeypatch.setattr(sys, "version_info", (3, 6, 15, "final", 0))
    monkeypatch.setattr(entry, "works", lambda _python: False)

    assert entry.main(["up"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("devstack needs Python 3.11 or newer, and this is 3.6: install it from https://")
    assert said.count("\n") == 1


def test_an_old_python_goes_on_in_a_newer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first that works, with the same arguments."""
    started: list[list[str]] = []
    monkeypatch.setattr(sys, "version_info", (3, 6, 15, "final", 0))
    monkeypatch.setattr(entry, "works", lambda python: python[0].endswith("python3.12"))

    def run_in(python: list[str], arguments: list[str]) -> int:
        started.append([*python, *arguments])
        return 7

    monkeypatch.setattr(entry, "run_in", run_in)

    assert entry.main(["up", "--once"]) == 7
    assert started == [[str(Path(sys.executable).resolve().parent / "python3.12"), "up", "--once"]]


if OLD_PYTHONS:  # The same with real ones, where the machine has them.

    @pytest.mark.parametrize("python", OLD_PYTHONS)
    def test_a_real_old_python_says_what_to_install(python: str, tmp_path: Path) -> None:
        """No traceback."""
        ended = _start_with(python, ["up"], tmp_path)

        assert ended.returncode == 1
        assert ended.stderr.startswith("devstack needs Python 3.11 or newer, and this is 3.")

    @pytest.mark.parametrize("python", OLD_PYTHONS)
    def test_a_real_old_python_goes_on_in_a_newer_one(python: str, tmp_path: Path) -> None:
        """One on PATH that does not start is passed over."""
        (tmp_path / "python3.13").symlink_to(tmp_path / "broken")
        newer = tmp_path / "python3.12"
        newer.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        newer.chmod(0o755)
        ended = _start_with(python, ["--help"], tmp_path)

        assert ended.returncode == 0, ended.stderr
        assert "usage: python3 -m devstack" in ended.stdout


def _start_with(python: str, arguments: list[str], path: Path) -> "subprocess.CompletedProcess[str]":
    command = [python, "-m", "devstack", *arguments]
    environment = {"PATH": str(path)}
    return subprocess.run(command, cwd=paths.ROOT, env=environment, capture_output=True, text=True, check=False)


def test_windows_asks_its_launcher_for_a_newer_python() -> None:
    """``py -3.12`` knows what is installed there."""
    assert entry.candidates("win32") == [["py", "-3.13"], ["py", "-3.12"], ["py", "-3.11"]]


def test_newer_pythons_beside_this_one_are_tried_before_those_on_path() -> None:
    """The newest first."""
    names = [Path(found[0]).name for found in entry.candidates("linux")]

    assert names == ["python3.13", "python3.12", "python3.11"] * 2


def test_a_python_that_does_not_start_is_passed_over(tmp_path: Path) -> None:
    """A version manager leaves stand-ins that only print an error."""
    assert not entry.works([str(tmp_path / "nothing")])
    assert not entry.works([sys.executable, "-c", "raise SystemExit(1)", "--"])
    assert entry.works([sys.executable])


def test_a_missing_ensurepip_is_answered_with_the_exact_command() -> None:
    """On Debian and Ubuntu it is a package of its own."""
    assert setup.ensurepip_advice((3, 11), debian=True).endswith("Run: sudo apt install python3.11-venv")
    assert "ensurepip" in setup.ensurepip_advice((3, 12), debian=False)


@pytest.mark.parametrize("arguments", [[], ["sideways"], ["up", "--twice"], ["down", "now"], ["up", "--host", "other"]])
def test_an_unknown_command_or_argument_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With the usage, before anything is installed."""
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)

    assert ended.value.code == 2
    assert "usage: python3 -m devstack" in capsys.readouterr().err


def test_a_step_says_how_long_it_took_or_how_it_ended() -> None:
    """One line for each."""
    out = io.StringIO()
    console = Console(out)
    with console.step("boil water"):
        pass
    with pytest.raises(StepFailed), console.step("make tea"):
        raise StepFailed("no cup")
    with pytest.raises(Ended), console.step("drink"):
        raise Ended

    assert out.getvalue().splitlines() == ["  boil water ... 0.0 s", "  make tea ... failed", "  drink ... stopped"]


def test_a_command_that_nobody_reads_ends_without_a_trace() -> None:
    """``devstack drill --list | head -1``: as the shell's own tools end."""
    command = [sys.executable, "-m", "devstack", "drill", "--list"]
    with subprocess.Popen(command, cwd=paths.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as started:
        assert started.stdout
        assert started.stderr
        started.stdout.close()
        said = started.stderr.read()

    assert (started.returncode, said) == (141, b"")


def test_a_console_that_knows_no_unicode_is_no_reason_to_fail() -> None:
    """What it cannot show becomes a question mark; a pipe gets no colours."""
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    Console(out).say("1 → 2", "green")

    assert raw.getvalue().replace(b"\r", b"") == b"1 ? 2\n"


def test_a_failure_shows_its_log(tmp_path: Path) -> None:
    """The path, and the last lines."""
    log = tmp_path / "a.log"
    log.write_text("\n".join(f"line {number}" for number in range(100)))
    out = io.StringIO()
    Console(out).failed(StepFailed("it broke", log))

    assert out.getvalue().startswith(f"it broke\nThe whole log: {log}\n")
    assert out.getvalue().endswith("    line 98\n    line 99\n")
    assert "line 50" not in out.getvalue()


def test_tests_are_counted_by_kind_and_app(tmp_path: Path) -> None:
    """The folder says the kind; Foundry's own tests are counted by the test that runs them."""
    report = tmp_path / "report.xml"
    report.write_text(
        """<testsuites><testsuite>
        <testcase classname="tests.unit.test_a" name="one"/>
        <testcase classname="tests.unit.test_a.TestB" name="two"><failure/></testcase>
        <testcase classname="tests.contract.test_c" name="three"><skipped/></testcase>
        <testcase classname="tests.unit.payflow.test_p" name="six"/>
        <testcase classname="tests.integration.test_d" name="four"><error/></testcase>
        <testcase classname="tests.integration.test_d" name="five">
          <properties><property name="forge_passed" value="12"/></properties></testcase>
        </testsuite></testsuites>"""
    )
    found = tally([report, tmp_path / "none.xml"])

    assert found.closing() == "15 passed, 2 failed, 1 skipped"
    assert found.passed == {
        ("unit", "distributor"): 1,
        ("unit", "payflow"): 1,
        ("integration", "distributor"): 1,
        ("forge", "distributor"): 12,
    }
    assert [line.split() for line in found.lines()] == [
        ["distributor", "payflow", "foundation", "passed", "failed", "skipped"],
        ["contract", "0", "0", "0", "0", "0", "1"],
        ["forge", "12", "0", "0", "12", "0", "0"],
        ["integration", "1", "0", "0", "1", "1", "0"],
        ["unit", "1", "1", "0", "2", "1", "0"],
        ["all", "14", "1", "0", "15", "2", "1"],
    ]


def test_no_report_counts_nothing(tmp_path: Path) -> None:
    """A pytest that never ran is not a success of its own."""
    assert tally([tmp_path / "none.xml"]).closing() == "0 passed, 0 failed"


SPARED = {
    # the command line
    *("distributor/__main__.py", "distributor/cli/*", "payflow/__main__.py", "payflow/cli/*"),
    # adapters
    *("distributor/adapters/*", "distributor/chain/*", "distributor/signing/*", "payflow/adapters/*"),
    *("payflow/mail/smtp.py", "payflow/mail/wire.py", "foundation/secrets/*"),
    *("foundation/blobs.py", "foundation/queues.py", "foundation/tablestore/azure_tables.py"),
    # PayFlow's functions and its composition root
    *(
        "payflow/functions/bounces.py",
        "payflow/functions/connect.py",
        "payflow/functions/console.py",
        "payflow/functions/health.py",
        "payflow/functions/mail_events.py",
        "payflow/functions/metrics.py",
        "payflow/functions/office.py",
        "payflow/functions/workers.py",
        "payflow/resources.py",
        "payflow/wiring.py",
    ),
}
"""All that may miss a branch: a module that decides has no place here, so a new entry is a change of this test."""


def test_every_module_that_decides_is_covered() -> None:
    """Written out: the list cannot grow by a module whose branch is only tedious to test."""
    spared = run_tests.NOT_COVERED.split(",")

    assert run_tests.COVERED == "distributor/*,payflow/*,foundation/*"
    assert set(spared) == SPARED
    assert len(spared) == len(SPARED)
    assert [name for name in SPARED if not paths.ROOT.joinpath(name.rstrip("/*")).exists()] == []


@pytest.mark.parametrize(("tests", "gate", "code"), [(0, True, 0), (1, True, 1), (0, False, 1)])
def test_the_short_loop_runs_the_gates_beside_the_tests(
    monkeypatch: pytest.MonkeyPatch, tests: int, gate: bool, code: int
) -> None:
    """On every core, without a server; one of both that fails fails it."""
    ran: list[list[str]] = []

    def call(command: Sequence[str]) -> int:
        ran.append(list(command))
        return tests

    monkeypatch.setattr(run_tests, "_call", call)
    monkeypatch.setattr(run_tests, "gates", lambda: [run_tests.Gate("one", [])])
    monkeypatch.setattr(run_tests, "_passes", lambda *_: gate)
    out = io.StringIO()

    assert run_tests.run(Console(out), ["--quick"]) == code
    assert ran[0][-len(run_tests.QUICK) :] == list(run_tests.QUICK)
    assert ("Gates not passed: one" in out.getvalue()) is not gate


def test_every_gate_can_be_started() -> None:
    """Their programs are where the command looks for them."""
    for gate in run_tests.gates():
        assert Path(gate.command[0]).exists(), gate.name


def test_the_build_script_can_be_run() -> None:
    """It is executable, and bash reads it."""
    script = paths.ROOT / ".ci" / "run"

    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0


def test_requirements_are_pinned() -> None:
    """A fresh clone next year installs what was tested today."""
    for file in ("requirements.txt", "requirements-dev.txt", "payflow/requirements.txt"):
        for line in (paths.ROOT / file).read_text("utf-8").splitlines():
            assert not line or line.startswith(("#", "-r ")) or "==" in line, line


def test_node_packages_are_named_without_a_host() -> None:
    """Any registry may serve them: the lock file holds hashes, no addresses."""
    lock = json.loads((paths.ROOT / "package-lock.json").read_text("utf-8"))

    assert not [name for name, package in lock["packages"].items() if "resolved" in package]


def test_an_environment_made_for_the_app_alone_is_completed_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deploy guide makes .venv with requirements.txt; what the stack needs beside it was an ImportError then."""
    done: list[str] = []
    monkeypatch.setattr(setup, "in_venv", lambda: True)
    monkeypatch.setattr(setup, "prepare_python", lambda _console: done.append("packages"))
    monkeypatch.setattr(command, "_prepare", lambda *_: done.append("the rest"))
    monkeypatch.setattr(command, "_run", lambda *_: len(done))

    assert command.main(["package"]) == 2
    assert done == ["packages", "the rest"]
