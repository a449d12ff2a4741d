"""What can be said of the plugin without running it: PHP's own check, the coding standard, the directory's rules."""

from __future__ import annotations

import gettext
import re
import subprocess
from string import Formatter
from typing import Any

import polib
import pytest

from devstack import paths
from devstack.wordpress import languages as wordpress_languages
from devstack.wordpress.languages import DOMAIN, LANGUAGES, TEMPLATE
from devstack.wordpress.parts import Parts
from devstack.wordpress.site import PLUGIN

FILES = sorted(PLUGIN.rglob("*.php"))
NAMES = [str(file.relative_to(PLUGIN)) for file in FILES]
MAIN = (PLUGIN / "ballx-distributor.php").read_text("utf-8")
README = (PLUGIN / "readme.txt").read_text("utf-8")
TRANSLATIONS = wordpress_languages.translations()
ESCAPING = {"esc_html()", "esc_attr()", "esc_url()", "esc_html__()", "esc_attr__()", "wp_kses_post()", "checked()"} | {
    "selected()"
}
BEFORE_THE_GUARD = re.compile(
    r"/\*.*?\*/|^(?:<\?php|declare\(strict_types=1\);|namespace .*;|use .*;)$", re.DOTALL | re.MULTILINE
)
OURS = re.compile(
    r"(?:add_option|update_option|delete_option|set_transient|apply_filters|do_action)\('(\w+)'"
    r"|^function (\w+)|\bdefine\('(\w+)'",
    re.MULTILINE,
)
TRANSLATED = re.compile(r"\b(?:__|esc_html__|esc_attr__)\(")


@pytest.fixture(scope="module")
def facts(parts: Parts) -> dict[str, dict[str, list[Any]]]:
    """What PHP's own tokenizer reads in the plugin."""
    return wordpress_languages.facts(parts)


def header(name: str, text: str) -> str:
    """Return a line of a plugin's or a readme's header."""
    found = re.search(rf"^[ *]*{re.escape(name)}:\s*(\S.*?)\s*$", text, re.MULTILINE)
    assert found, f"no {name}"
    return found[1]


def test_php_reads_every_file(parts: Parts) -> None:
    """No syntax error, and no warning of PHP's compiler."""
    for file in FILES:
        command = parts.php("-derror_reporting=-1", "-ddisplay_errors=1", "-l", str(file))
        ended = subprocess.run(command, env=parts.environment(), capture_output=True, text=True, check=False)

        assert (ended.returncode, ended.stdout.strip()) == (0, f"No syntax errors detected in {file}")


def test_the_coding_standard_holds(parts: Parts) -> None:
    """PSR-12, and the functions we forbid ourselves; a warning fails too."""
    command = parts.phpcs(f"--standard={paths.ROOT / 'wordpress' / 'phpcs.xml'}", "-s", str(PLUGIN))
    ended = subprocess.run(command, env=parts.environment(), capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_coding_standard_is_really_checked(parts: Parts) -> None:
    """A line that breaks it is found: the check above cannot pass because nothing was read."""
    command = parts.phpcs(f"--standard={paths.ROOT / 'wordpress' / 'phpcs.xml'}", "--report=csv", "-")
    bad = "<?php\n\ndeclare(strict_types=1);\n\nwp_remote_post('x');\n"
    ended = subprocess.run(command, input=bad, env=parts.environment(), capture_output=True, text=True, check=False)

    assert "wp_safe_remote_post" in ended.stdout


@pytest.mark.parametrize("name", NAMES)
def test_no_file_does_anything_when_it_is_opened_directly(name: str) -> None:
    """The guard is the first statement after the declarations."""
    text = (PLUGIN / name).read_text("utf-8")
    guard = "WP_UNINSTALL_PLUGIN" if name == "uninstall.php" else "ABSPATH"
    before, found, _ = text.partition(f"defined('{guard}') || exit;")

    assert found
    assert BEFORE_THE_GUARD.sub("", before).strip() == ""


@pytest.mark.parametrize("name", NAMES)
def test_files_are_short_and_only_sentences_are_long(name: str) -> None:
    """A sentence for translators is one literal; every other line has at most 120 characters."""
    lines = (PLUGIN / name).read_text("utf-8").splitlines()

    assert len(lines) <= 300
    assert [line for line in lines if len(line) > 120 and not TRANSLATED.search(line)] == []


def test_every_class_is_where_the_autoloader_looks() -> None:
    """One class in a file, named as the file: a wrong name would be found by a customer."""
    for file in (PLUGIN / "src").rglob("*.php"):
        text = file.read_text("utf-8")
        declared = re.findall(r"^(?:final )?(?:class|enum|interface) (\w+)", text, re.MULTILINE)
        space = "\\".join(["Ballx", "Distributor", *file.relative_to(PLUGIN / "src").parent.parts])

        assert declared == ([] if file.name == "autoload.php" else [file.stem])
        assert not declared or f"namespace {space};" in text


def test_names_that_all_plugins_share_are_ours() -> None:
    """Options, transients, hooks, functions and constants begin with ballx."""
    # A letter's template raises WooCommerce's own two hooks, as each of WooCommerce's does.
    text = "\n".join(file.read_text("utf-8") for file in FILES if "templates" not in file.parts)
    names = {name for names in OURS.findall(text) for name in names if name}

    assert {"ballx_distribute", "BALLX_VERSION", "ballx_delivery_changed"} <= names
    assert {name for name in names if not name.lower().startswith("ballx_")} == set()


def test_whatever_is_echoed_is_a_literal_or_escaped_there(facts: dict[str, dict[str, list[Any]]]) -> None:
    """Late escaping: a reader sees it, and so does this test."""
    echoed = {shape for found in facts.values() for shape in found["echoed"]}

    assert "esc_html()" in echoed
    assert echoed - ESCAPING == {"literal"}


def test_every_sentence_is_a_literal_of_our_text_domain(facts: dict[str, dict[str, list[Any]]]) -> None:
    """What is put together at run time reaches no translator."""
    sentences = [sentence for found in facts.values() for sentence in found["translated"]]

    assert sentences
    assert {sentence["domain"] for sentence in sentences} == {DOMAIN}
    assert None not in {sentence["text"] for sentence in sentences}


def test_the_template_holds_every_sentence(parts: Parts) -> None:
    """``python -m devstack.wordpress.languages`` was run after the last change."""
    expected = wordpress_languages.template(parts)

    assert str(polib.pofile(str(TEMPLATE), wrapwidth=100)) == str(expected)


@pytest.mark.parametrize("name", [file.name for file in TRANSLATIONS])
def test_every_sentence_is_translated(name: str) -> None:
    """With the same placeholders, and nothing marked as doubtful."""
    entries = polib.pofile(str(LANGUAGES / name))

    assert {entry.msgid for entry in entries} == {entry.msgid for entry in polib.pofile(str(TEMPLATE))}
    assert [entry.msgid for entry in entries if not entry.translated()] == []
    assert [entry.msgid for entry in entries if placeholders(entry.msgid) != placeholders(entry.msgstr)] == []


@pytest.mark.parametrize("name", [file.name for file in TRANSLATIONS])
def test_what_wordpress_reads_is_what_translators_wrote(name: str) -> None:
    """The compiled file says the same as the written one, read by another library than the one that made it."""
    with (LANGUAGES / name).with_suffix(".mo").open("rb") as compiled:
        catalogue = gettext.GNUTranslations(compiled)

    written = polib.pofile(str(LANGUAGES / name))
    assert [entry.msgid for entry in written if catalogue.gettext(entry.msgid) != entry.msgstr] == []


def test_brazilians_read_their_language() -> None:
    """The shops this is for are in Brazil."""
    assert [file.name for file in TRANSLATIONS] == ["ballx-distributor-pt_BR.po"]


def placeholders(text: str) -> list[str]:
    """Return printf's and our own placeholders in *text*, in any order."""
    ours = [name for _, name, _, _ in Formatter().parse(text) if name]
    return sorted(re.findall(r"%\d\$[sd]", text) + ours)


def test_the_header_and_the_readme_agree() -> None:
    """The directory takes the requirements from the one and the version from the other."""
    assert header("Version", MAIN) == header("Stable tag", README)
    assert f"define('BALLX_VERSION', '{header('Version', MAIN)}')" in MAIN
    for name in ("Requires at least", "Requires PHP", "License"):
        assert header(name, MAIN) == header(name, README)
    assert header("License", MAIN) == "GPL-2.0-or-later"
    assert header("Text Domain", MAIN) == PLUGIN.name
    assert len(header("Description", MAIN)) <= 140


def test_the_readme_is_one_the_directory_can_read() -> None:
    """
    The short description is the line after the header: plain text of at most 150 characters.

    Source: https://developer.wordpress.org/plugins/wordpress-org/how-your-readme-txt-works/
    """
    title, rest = README.split("\n", 1)
    described = rest.split("\n\n")[1].strip()

    assert title == "=== BALLX Distributor ==="
    assert 0 < len(described) <= 150
    assert not re.search(r"[*_`\[\]<>\n]", described)
    assert {"Description", "Installation", "Changelog"} <= set(re.findall(r"^== (.+) ==$", README, re.MULTILINE))


def test_only_files_of_a_plugin_are_in_its_folder() -> None:
    """What is in the folder is what a shop gets, the licence with it."""
    kinds = {file.suffix or file.name for file in PLUGIN.rglob("*") if file.is_file()}

    assert kinds == {".php", ".txt", ".pot", ".po", ".mo", "LICENSE"}
    assert "GNU GENERAL PUBLIC LICENSE" in (PLUGIN / "LICENSE").read_text("utf-8")


def test_no_host_is_written_down_but_the_explorers() -> None:
    """Where orders go is the owner's setting; comments may name sources."""
    code = [re.sub(r"/\*.*?\*/", "", file.read_text("utf-8"), flags=re.DOTALL) for file in FILES]

    assert set(re.findall(r"https?://([\w-]+\.[\w.-]+)", "\n".join(code))) == {"polygonscan.com"}
