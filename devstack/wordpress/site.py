"""
A real WordPress on loopback, served by PHP's own server, with one plugin.

Everything it writes is in one folder. The plugin is copied, never linked: an administrator's
"Delete" takes the copy.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devstack import paths, servers
from devstack.stack import free_port
from devstack.wordpress.database import Database
from devstack.wordpress.parts import Parts

PLUGIN = paths.ROOT / "wordpress" / "ballx-distributor"
PLUGIN_FILE = "ballx-distributor/ballx-distributor.php"
ADMIN = "admin"
MAIL = "admin@example.com"
_PHP_FILES = paths.ROOT / "devstack" / "wordpress" / "php"
_WORKERS = 4
"""Requests PHP's server answers at once: a page that asks the site itself must not wait for itself."""
_PHP_TIMEOUT_S = 120.0
_KEYS_AND_SALTS = [
    f"{name}_{kind}" for name in ("AUTH", "SECURE_AUTH", "LOGGED_IN", "NONCE") for kind in ("KEY", "SALT")
]
_CONFIG = """\
define( 'DB_CHARSET', 'utf8mb4' );
define( 'DB_COLLATE', '' );
define( 'WP_ENVIRONMENT_TYPE', 'local' ); // plain http to a distributor on this machine
define( 'WP_DEBUG', true );
define( 'WP_DEBUG_LOG', true );
define( 'WP_DEBUG_DISPLAY', false );
define( 'DISABLE_WP_CRON', true ); // a page view runs nothing: run_cron() does
define( 'DISALLOW_FILE_MODS', true );
define( 'WP_HTTP_BLOCK_EXTERNAL', true ); // no look for updates in the internet
define( 'WP_ACCESSIBLE_HOSTS', '127.0.0.1' );
$table_prefix = 'wp_';
if ( ! defined( 'ABSPATH' ) ) {
	define( 'ABSPATH', __DIR__ . '/' );
}
require_once ABSPATH . 'wp-settings.php';
"""


class WordpressFailed(RuntimeError):
    """PHP inside WordPress ended with an error; holds what it said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """A running WordPress, and the way to run PHP inside it."""

    url: str
    root: Path
    password: str = field(repr=False)
    parts: Parts
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def debug_log(self) -> str:
        """Every notice, warning and error that PHP raised inside this WordPress."""
        log = self.root / "wp-content" / "debug.log"
        return log.read_text("utf-8", errors="replace") if log.exists() else ""

    def evaluate(self, code: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """
        Run PHP *code* in a process of its own inside WordPress; return what it returns.

        Args:
            code: Statements, with a ``return`` at the end.
            arguments: Variables the code finds, by name; anything JSON can say.

        Raises:
            WordpressFailed: PHP ended with an error.
        """
        given = json.dumps(dict(arguments or {}))
        lines = f"extract( json_decode( {_quoted(given)}, true ) );\n{code}"
        marker = secrets.token_hex(8)
        said = _php(self.parts, self.root, "evaluate.php", lines, {"DEVSTACK_WP_MARKER": marker})
        _, found, returned = said.rpartition(f"\n{marker}\n")
        if not found:  # WordPress ends with a page and PHP's exit code 0 when it cannot reach its database
            raise WordpressFailed(f"WordPress ended before the code did:\n{said}")
        return json.loads(returned)

    def run_cron(self) -> None:
        """Run what WordPress has scheduled and is due, as a server's own cron does."""
        _call(self.parts, self.root, [str(self.root / "wp-cron.php")])


@contextmanager
def site(
    parts: Parts,
    database: Database,
    folder: Path,
    *,
    constants: Mapping[str, str] | None = None,
    additions: Sequence[Path] = (),
    log: Path | None = None,
) -> Iterator[Site]:
    """
    Install WordPress in *folder* with the plugin active, and serve it until the block ends.

    Args:
        parts: What it runs on.
        database: Where its tables go, into a schema of their own.
        folder: Where its files go.
        constants: Further constants of ``wp-config.php``.
        additions: PHP files that run with every request, beside the one that allows local addresses.
        log: Where the server's output goes.

    Raises:
        WordpressFailed: The installation or the plugin's activation failed.
        ServerFailed: PHP's server did not start.
    """
    port, password = free_port(), secrets.token_urlsafe(12)
    url, root = f"http://localhost:{port}", folder / "www"
    _lay_out(parts, root, additions)
    _compiled(root).mkdir(exist_ok=True)
    schema = f"wp_{secrets.token_hex(4)}"
    (root / "wp-config.php").unlink(missing_ok=True)  # linked to the one of every other site
    (root / "wp-config.php").write_text(_config(database, schema, url, constants or {}), "utf-8")
    _create_schema(parts, database, schema)
    _php(
        *(parts, root, "install.php", ""),
        {"DEVSTACK_WP_USER": ADMIN, "DEVSTACK_WP_MAIL": MAIL, "DEVSTACK_WP_PASSWORD": password},
    )
    command = parts.php("-S", f"127.0.0.1:{port}", "-t", str(root))
    environment = {**parts.environment(), "PHP_CLI_SERVER_WORKERS": str(_WORKERS)}
    with servers.child("wordpress", command, log=log, environment=environment) as server:
        servers.wait_until_said(server, rf"Development Server \(http://127\.0\.0\.1:{port}\) started")
        running = Site(url=url, root=root, password=password, parts=parts, process=server.process)
        _activate(running)
        yield running


def _lay_out(parts: Parts, root: Path, additions: Sequence[Path]) -> None:
    """Put WordPress, the additions and the plugin where its server looks for them."""
    shutil.copytree(parts.core, root, copy_function=_link, ignore_dangling_symlinks=True)
    content = root / "wp-content"
    (content / "mu-plugins").mkdir()
    for file in (_PHP_FILES / "local-addresses.php", *additions):
        shutil.copy(file, content / "mu-plugins")
    shutil.copytree(PLUGIN, content / "plugins" / PLUGIN.name)


def _link(source: str, target: str) -> None:
    """Link what WordPress never writes to, for speed; copy across file systems."""
    try:
        os.link(Path(source).resolve(), target)
    except OSError:
        shutil.copy2(source, target)


def _config(database: Database, schema: str, url: str, constants: Mapping[str, str]) -> str:
    texts = {name: secrets.token_hex(32) for name in _KEYS_AND_SALTS}
    texts |= {"DB_NAME": schema, "DB_USER": "root", "DB_PASSWORD": "", "DB_HOST": f"localhost:{database.socket}"}
    texts |= {"WP_HOME": url, "WP_SITEURL": url, **constants}
    lines = [f"define( '{name}', {_quoted(text)} );" for name, text in texts.items()]
    return "\n".join(["<?php", *lines, _CONFIG])


def _quoted(text: str) -> str:
    """Return *text* as a PHP string in single quotes, where only two characters mean anything."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _create_schema(parts: Parts, database: Database, schema: str) -> None:
    code = f"$db = new mysqli( 'localhost', 'root', '', '', 0, {_quoted(str(database.socket))} );"
    _call(parts, Path(), ["-r", f"{code} $db->query( 'CREATE DATABASE {schema} CHARACTER SET utf8mb4' );"])


def _activate(site: Site) -> None:
    """Activate the plugin through WordPress itself, which runs its activation hook; raises WordpressFailed."""
    why = site.evaluate(
        "require_once ABSPATH . 'wp-admin/includes/plugin.php';"
        "$done = activate_plugin( $plugin ); return is_wp_error( $done ) ? $done->get_error_message() : '';",
        {"plugin": PLUGIN_FILE},
    )
    if why:
        raise WordpressFailed(f"WordPress did not activate {PLUGIN_FILE}: {why}")


def _compiled(root: Path) -> Path:
    """Return where the processes of one WordPress keep what they compiled of its hundreds of files."""
    return root.parent / "compiled"


def _php(parts: Parts, root: Path, name: str, given: str, environment: Mapping[str, str]) -> str:
    return _call(parts, root, [str(_PHP_FILES / name)], given, environment)


def _call(
    parts: Parts, root: Path, arguments: list[str], given: str = "", environment: Mapping[str, str] | None = None
) -> str:
    """Run PHP, compiling only what no process before has; return what it printed. Raises WordpressFailed."""
    kept = ("enable_cli=1", "file_cache_only=1", f"file_cache={_compiled(root)}") if _compiled(root).is_dir() else ()
    ended = subprocess.run(
        parts.php(*(f"-dopcache.{option}" for option in kept), *arguments),
        input=given,
        env={**parts.environment(), "DEVSTACK_WP_ROOT": str(root), **(environment or {})},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=_PHP_TIMEOUT_S,
    )
    if ended.returncode:
        raise WordpressFailed(f"PHP ended with code {ended.returncode}:\n{ended.stdout}{ended.stderr}")
    return ended.stdout
