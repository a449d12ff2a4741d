"""What ``up`` started is ended whole: by Ctrl-C, by ``down``, and after ``up`` itself was killed."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from devstack import paths, runs
from tests.integration.hosted import until

UP = """
    import sys, time
    from pathlib import Path
    from devstack import runs, servers

    with runs.begin(Path(sys.argv[1])) as run:
        grandchild = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
        with servers.child("sleeper", [sys.executable, "-c", grandchild], log=run.log("sleeper")) as server:
            run.add(server.process.pid)
            print("ready", flush=True)
            time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the runs are kept."""
    return tmp_path / "runs"


@pytest.fixture
def up(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs a server with a child of its own, as ``up`` does."""
    command = [sys.executable, "-c", textwrap.dedent(UP), str(folder)]
    with subprocess.Popen(command, cwd=paths.ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        assert process.stdout.readline().strip() == b"ready"
        yield process
        process.kill()


def family(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    """The process and all it started."""

    def grown() -> list[psutil.Process] | None:
        found = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        return found if len(found) == 3 else None

    return until(grown)


def living(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run; a process that only waits to be reaped does not."""
    return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP] if os.name != "nt" else [])
def test_a_signal_ends_every_process(up: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """Ctrl-C, ``kill``, a closed terminal: the server and what it started end too."""
    started = family(up)
    up.send_signal(number)
    up.wait(20)

    assert until(lambda: not living(started))


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_impatience_leaves_nothing_behind(up: "subprocess.Popen[bytes]") -> None:
    """A second and third Ctrl-C during the end change nothing."""
    started = family(up)
    for _ in range(3):
        up.send_signal(signal.SIGINT)
    up.wait(20)

    assert until(lambda: not living(started))


def test_down_ends_every_process(up: "subprocess.Popen[bytes]", folder: Path) -> None:
    """And forgets the run."""
    started = family(up)
    (run,) = runs.known(folder)

    assert run.end() == 2
    up.wait(20)
    assert not living(started)
    assert runs.known(folder) == []


def test_down_finds_what_a_killed_up_left(up: "subprocess.Popen[bytes]", folder: Path) -> None:
    """The list on disk outlives the process that wrote it."""
    _, *orphans = family(up)
    up.kill()
    up.wait(20)
    assert len(living(orphans)) == 2
    (run,) = runs.known(folder)

    assert run.end() == 1
    assert not living(orphans)


def test_the_next_run_ends_what_a_killed_one_left(up: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Nobody has to think of ``down``."""
    _, *orphans = family(up)
    up.kill()
    up.wait(20)
    with runs.begin(folder) as run:
        assert not living(orphans)
        assert [process.pid for process in run.alive()] == [os.getpid()]


def test_a_run_that_lives_is_left_alone_by_the_next(up: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Two stacks on free ports do not disturb each other."""
    started = family(up)
    with runs.begin(folder):
        assert len(living(started)) == 3


def test_a_run_that_just_begins_is_no_dead_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until its process is listed nobody sees it: another that begins then would take its folder away."""
    seen: list[list[runs.Run]] = []
    listing = runs.Run.add

    def look_and_add(run: runs.Run, pid: int) -> None:
        seen.append(runs.known(folder))
        listing(run, pid)

    monkeypatch.setattr(runs.Run, "add", look_and_add)
    with runs.begin(folder) as run:
        assert seen == [[]]
        assert runs.known(folder) == [run]


def test_a_stranger_with_an_old_process_id_is_never_ended(folder: Path) -> None:
    """The same id, begun at another time, is someone else."""
    with runs.begin(folder) as run:
        listed = run.folder / "processes.json"
        listed.write_text(f'[{{"pid": {os.getpid()}, "began": 1.0}}]')

        assert run.alive() == []
        assert run.end() == 0
