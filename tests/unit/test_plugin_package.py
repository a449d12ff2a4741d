"""The plugin's zip: one folder at its root, the same bytes each time, and nothing that no shop should get."""

import shutil
from pathlib import Path
from zipfile import ZipFile

import pytest

from devstack.console import StepFailed
from devstack.wordpress import package
from devstack.wordpress.site import PLUGIN


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the plugin's folder."""
    return Path(shutil.copytree(PLUGIN, tmp_path / PLUGIN.name))


def test_the_zip_holds_the_plugin_in_one_folder(tmp_path: Path) -> None:
    """As WordPress unpacks it into wp-content/plugins."""
    out = tmp_path / "out" / "plugin.zip"
    version = package.build(out)
    with ZipFile(out) as written:
        names = written.namelist()
        main = written.read("ballx-distributor/ballx-distributor.php").decode()

    assert {name.split("/")[0] for name in names} == {"ballx-distributor"}
    assert {"ballx-distributor/readme.txt", "ballx-distributor/LICENSE", "ballx-distributor/uninstall.php"} <= set(
        names
    )
    assert f"define('BALLX_VERSION', '{version}')" in main


def test_the_same_files_give_the_same_bytes(tmp_path: Path, folder: Path) -> None:
    """Whenever and wherever it is built."""
    package.build(tmp_path / "one.zip")
    package.build(tmp_path / "two.zip", folder)

    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


@pytest.mark.parametrize("name", [".gitignore", "src/Order.php.bak", "debug.log", "composer.json"])
def test_what_no_shop_should_get_is_named(tmp_path: Path, folder: Path, name: str) -> None:
    """And no zip is written."""
    (folder / name).write_text("")

    with pytest.raises(StepFailed, match=name):
        package.build(tmp_path / "plugin.zip", folder)
    assert not (tmp_path / "plugin.zip").exists()


def test_two_versions_are_no_version(tmp_path: Path, folder: Path) -> None:
    """The directory takes one from the readme, WordPress the other from the header."""
    readme = folder / "readme.txt"
    readme.write_text(readme.read_text("utf-8").replace("Stable tag: ", "Stable tag: 9."), "utf-8")

    with pytest.raises(StepFailed, match="differ"):
        package.build(tmp_path / "plugin.zip", folder)
