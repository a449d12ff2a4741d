"""The programs a WordPress runs on: found, or downloaded whole, or a sentence that says why not."""

import os
from pathlib import Path

import pytest

from devstack import paths
from devstack.wordpress import parts as wordpress_parts
from devstack.wordpress.parts import Parts


def a_file(path: Path) -> Path:
    """Return *path*, made with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def a_program(folder: Path, name: str, script: str) -> None:
    """Put a program on a PATH of the test's own."""
    program = a_file(folder / name)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_what_was_unpacked_goes_before_what_the_machine_has(tmp_path: Path) -> None:
    """A program of the tree, else one of the machine."""
    parts = Parts(tree=tmp_path / "tree", system=tmp_path / "system")
    machine = a_file(tmp_path / "system" / "usr" / "sbin" / "mariadbd")

    assert parts.mariadbd == machine
    unpacked = a_file(tmp_path / "tree" / "usr" / "sbin" / "mariadbd")
    assert parts.mariadbd == unpacked


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    """With what to do: a tree that lost a file is made anew once it is deleted."""
    with pytest.raises(paths.NotInstalled, match=r"usr/sbin/mariadbd is neither in .*: delete .*tree"):
        _ = Parts(tree=tmp_path / "tree", system=tmp_path / "system").mariadbd


def test_libraries_of_the_tree_come_first(tmp_path: Path) -> None:
    """Whatever the machine's processor is."""
    for where in ("usr/lib/aarch64-linux-gnu", "lib/aarch64-linux-gnu"):
        (tmp_path / where).mkdir(parents=True)

    found = Parts(tree=tmp_path).environment()["LD_LIBRARY_PATH"]
    assert found == f"{tmp_path}/usr/lib/aarch64-linux-gnu{os.pathsep}{tmp_path}/lib/aarch64-linux-gnu"


@pytest.mark.skipif(os.name == "nt", reason="Debian's tools are POSIX")
def test_a_machine_without_debian_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback, and nothing left behind."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(paths.NotInstalled, match="needs Debian or Ubuntu: there is no apt-get here"):
        wordpress_parts.prepare(tmp_path / "tree")
    assert not (tmp_path / "tree").exists()


@pytest.mark.skipif(os.name == "nt", reason="Debian's tools are POSIX")
def test_a_download_that_breaks_off_leaves_no_half_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the program said is shown, and the next start begins again."""
    a_program(tmp_path / "bin", "apt-get", "echo 'E: Temporary failure resolving' >&2; exit 100")
    a_program(tmp_path / "bin", "dpkg-deb", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    with pytest.raises(paths.NotInstalled, match=r"(?s)`apt-get .*ended with code 100.*Temporary failure resolving"):
        wordpress_parts.prepare(tmp_path / "tree")
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


@pytest.mark.skipif(os.name == "nt", reason="Debian's tools are POSIX")
def test_what_is_there_is_not_downloaded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second start needs neither Debian's tools nor a network."""
    a_program(tmp_path / "bin", "apt-get", "exit 0")
    a_program(tmp_path / "bin", "dpkg-deb", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    made = wordpress_parts.prepare(tmp_path / "tree")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert wordpress_parts.prepare(tmp_path / "tree") == made


@pytest.mark.skipif(os.name == "nt", reason="Debian's tools are POSIX")
def test_another_list_of_packages_makes_the_tree_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree of an earlier version of this project is no longer current."""
    a_program(tmp_path / "bin", "apt-get", "exit 0")
    a_program(tmp_path / "bin", "dpkg-deb", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    wordpress_parts.prepare(tmp_path / "tree")
    old = a_file(tmp_path / "tree" / "old")
    monkeypatch.setattr(wordpress_parts, "PACKAGES", ("wordpress",))
    wordpress_parts.prepare(tmp_path / "tree")

    assert not old.exists()


@pytest.mark.skipif(os.name == "nt", reason="Debian's tools are POSIX")
@pytest.mark.parametrize("name", ["underscore.js", "underscore.min.js"])
def test_a_script_that_only_the_machine_has_is_in_the_tree(tmp_path: Path, name: str) -> None:
    """What is installed is not downloaded, and the link led out of the tree: "_ is not defined" on every page."""
    tree, system = tmp_path / "tree", tmp_path / "system"
    scripts = a_file(tree / "usr/share/wordpress/wp-includes/js/wp-util.js").parent
    (scripts / name).symlink_to(f"../../../javascript/underscore/{name}")
    (tree / "usr/share/wordpress/.htaccess").symlink_to("/etc/wordpress/htaccess")
    a_file(system / "usr/share/javascript/underscore" / name).write_text("_ = {};")
    wordpress_parts.complete(tree, system)

    assert (scripts / name).read_text() == "_ = {};"


@pytest.mark.skipif(os.name == "nt", reason="Debian's tools are POSIX")
def test_a_script_that_is_nowhere_is_named(tmp_path: Path) -> None:
    """A page without it would look as if the plugin were broken."""
    link = a_file(tmp_path / "tree/usr/share/wordpress/wp-includes/js/wp-util.js").with_name("underscore.js")
    link.symlink_to("../../../javascript/underscore/underscore.js")

    with pytest.raises(paths.NotInstalled, match=r"js/underscore\.js of WordPress leads to nothing: .*system/usr"):
        wordpress_parts.complete(tmp_path / "tree", tmp_path / "system")
