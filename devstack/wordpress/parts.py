"""
WordPress, PHP and MariaDB from Debian's own packages, unpacked into ``.devstack/wordpress``.

Nothing is installed on the machine: no root, no service started, no file outside the folder. What
the machine has already (PHP, say) is used from where it is. Works on Debian and what descends from it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from devstack import paths

TREE = paths.STATE / "wordpress"
PACKAGES = (
    *("wordpress", "wordpress-l10n", "wordpress-theme-twentytwentythree", "mariadb-server-core"),
    *("php-cli", "php-mysql", "php-curl", "php-xml", "php-mbstring", "php-intl"),
    "php-codesniffer",  # checks the plugin's PHP
)
_EXTENSIONS = (
    *("ctype", "fileinfo", "iconv", "tokenizer", "curl", "dom", "intl", "mbstring", "simplexml", "xml", "xmlreader"),
    "xmlwriter",
    *("mysqlnd", "mysqli"),  # in this order: the second needs the first
)
_STAMP = "devstack-stamp"
_LAYOUT = "2"
"""Another number when the same packages are unpacked in another way: a tree made before is then made anew."""
_LOG_TAIL_CHARS = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """The programs and files a WordPress runs on: those of *tree*, else those of *system*."""

    tree: Path
    system: Path = Path("/")

    @property
    def core(self) -> Path:
        """WordPress as Debian ships it."""
        return self._file("usr/share/wordpress")

    @property
    def mariadbd(self) -> Path:
        return self._file("usr/sbin/mariadbd")

    @property
    def mariadb_install_db(self) -> Path:
        return self._file("usr/bin/mariadb-install-db")

    def phpcs(self, *arguments: str) -> list[str]:
        """Return the command line of PHP_CodeSniffer."""
        classes = self._file("usr/share/php/PHP/CodeSniffer").parents[1]
        return self.php(f"-dinclude_path={classes}", str(self._file("usr/bin/phpcs")), *arguments)

    def php(self, *arguments: str) -> list[str]:
        """Return the command line of PHP without the machine's ``php.ini``, with what WordPress asks for."""
        modules = [f"-dextension={self._file(f'usr/lib/php/*/{name}.so')}" for name in _EXTENSIONS]
        opcache = f"-dzend_extension={self._file('usr/lib/php/*/opcache.so')}"
        return [str(self._file("usr/bin/php[0-9]*")), "-n", opcache, *modules, *arguments]

    def environment(self) -> dict[str, str]:
        """Return this environment with the libraries of the tree before those of the machine."""
        folders = [str(folder) for where in ("usr/lib", "lib") for folder in self.tree.glob(f"{where}/*-linux-gnu*")]
        return {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(folders)}

    def _file(self, pattern: str) -> Path:
        for root in (self.tree, self.system):
            if found := sorted(root.glob(pattern)):
                return found[-1]
        raise paths.NotInstalled(f"{pattern} is neither in {self.tree} nor on this machine: delete {self.tree}")


def prepare(tree: Path = TREE) -> Parts:
    """
    Return the parts, downloading and unpacking them into *tree* when they are not there (about 50 MB).

    Raises:
        NotInstalled: This is not Debian or one of its kind, or the packages could not be had.
    """
    if not _current(tree):
        _make(tree)
    return Parts(tree=tree)


def _make(tree: Path) -> None:
    """Make *tree* beside its place and move it there whole, so that half a tree is never used."""
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise paths.NotInstalled(f"a real WordPress needs Debian or Ubuntu: there is no {program} here")
    tree.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="wordpress-", dir=tree.parent, ignore_cleanup_errors=True) as scratch:
        fresh = Path(scratch) / "tree"
        fresh.mkdir()
        for package in _download(Path(scratch)):
            _run(["dpkg-deb", "--extract", str(package), str(fresh)])
        complete(fresh)
        (fresh / _STAMP).write_text(_wish(), "ascii")
        _replace(tree, fresh)


def complete(tree: Path, system: Path = Path("/")) -> None:
    """
    Put into *tree* what its WordPress links to and the machine has already, for which apt downloads nothing.

    Debian's WordPress has some scripts from packages of their own (``underscore``), each a link to
    ``../../../javascript``. Where the package is installed on the machine, the link led out of the tree to nothing,
    and each page of the administration said "_ is not defined".

    Raises:
        NotInstalled: A file that WordPress links to is neither in *tree* nor in *system*.
    """
    for link in _dangling(tree):
        target = Path(os.path.normpath(link.parent / link.readlink()))
        there = system / target.relative_to(tree)
        if not there.exists():
            raise paths.NotInstalled(f"{link.relative_to(tree)} of WordPress leads to nothing: {there} is not here")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(there, target)


def _dangling(tree: Path) -> Sequence[Path]:
    """Return WordPress's relative links to nothing; absolute ones lead to the machine's own settings, such as /etc."""
    links = [file for file in (tree / "usr/share/wordpress").rglob("*") if file.is_symlink()]
    return [link for link in links if not link.exists() and not link.readlink().is_absolute()]


def _download(folder: Path) -> Sequence[Path]:
    """Download PACKAGES and what they need that this machine has not, with lists and cache of our own."""
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    options = {
        "Dir::State": folder,
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": "/var/lib/dpkg/status",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "",
        "Debug::NoLocking": "1",  # the machine's own lock is not ours to take: nothing of it is changed
    }
    apt = ["apt-get", "--quiet", *(f"--option={name}={value}" for name, value in options.items())]
    _run([*apt, "update"])
    _run([*apt, "install", "--yes", "--no-install-recommends", "--download-only", *PACKAGES])
    return sorted((folder / "cache" / "archives").glob("*.deb"))


def _run(command: Sequence[str]) -> None:
    ended = subprocess.run(command, env=_english(), capture_output=True, text=True, check=False, errors="replace")
    if ended.returncode:
        said = (ended.stdout + ended.stderr)[-_LOG_TAIL_CHARS:]
        raise paths.NotInstalled(f"`{' '.join(command[:2])} ...` ended with code {ended.returncode}:\n{said}")


def _english() -> Mapping[str, str]:
    return {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


def _replace(tree: Path, fresh: Path) -> None:
    """Put *fresh* in the place of *tree*; who came first with the same is left alone."""
    if not _current(tree):
        shutil.rmtree(tree, ignore_errors=True)
        fresh.rename(tree)


def _current(tree: Path) -> bool:
    stamp = tree / _STAMP
    return stamp.exists() and stamp.read_text("ascii") == _wish()


def _wish() -> str:
    return hashlib.sha256("\0".join((_LAYOUT, *PACKAGES)).encode()).hexdigest()
