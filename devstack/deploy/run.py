"""
``deploy``: a package onto an app in Azure, by one way or the other; its functions are found there, its version answers.

A number of functions proves nothing: right after an upload the list is empty, and an app that does not
start may list the platform's placeholder. The names prove a first deployment, and no update.
"""

from __future__ import annotations

import re
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from devstack.console import Console, StepFailed
from devstack.deploy.arrival import arrived
from devstack.deploy.azure import FunctionApp
from devstack.deploy.upload import NotYet, Patience, publish
from devstack.package import stamp

LISTING = Patience(every_s=10.0, at_most_s=300.0)
"""Azure lists the functions about a minute after the upload; a version that is replaced answers for about as long."""
_HANDLERS = re.compile(r"[a-z]+/functions/\w+\.py")
_NAME = re.compile(r'^@blueprint\.function_name\("(\w+)"\)$', re.MULTILINE)


def run(
    console: Console,
    app: FunctionApp,
    package: Path,
    *,
    url: str = "",
    following: Patience | None = None,
    listing: Patience = LISTING,
) -> int:
    """
    Deploy *package* to *app*; return 0 when Azure lists exactly its functions and the app answers with its version.

    Args:
        console: Shows what goes on.
        app: In Azure.
        package: The zip.
        url: Where the app is asked for its version; empty: at its own name.
        following: How long a direct upload is followed.
        listing: How long the functions, and then the version, are waited for.

    Raises:
        StepFailed: Something was refused, or did not come in time.
    """
    wanted, sent = functions(package), version(package)
    with console.step("az functionapp deploy"):
        trouble = app.deploy(package)
    if trouble:
        console.say(f"  it did not end well: {trouble}", "bold")
        with console.step("upload the package directly, as application/zip"):
            publish(app.deployment_url(), app.token, package, following or Patience(), console.say)
    with console.step("wait until Azure lists its functions"):
        listing.until(lambda: _listed(app, wanted), console.say)
    with console.step(f"wait until it answers with version {sent}"):
        asked = url.rstrip("/") or app.app_url()
        listing.until(lambda: arrived(asked, sent), console.say)
    console.say(f"{app.name} has its {len(wanted)} functions: {', '.join(sorted(wanted))}", "green")
    console.say(f"{app.name} answers with version {sent}", "green")
    return 0


def functions(package: Path) -> frozenset[str]:
    """Return the names of the functions in *package*, read from its sources. Raises StepFailed."""
    try:
        with ZipFile(package) as opened:
            sources = [opened.read(name).decode() for name in opened.namelist() if _HANDLERS.fullmatch(name)]
    except (OSError, BadZipFile) as why:
        raise StepFailed(f"{package} cannot be read: {why}. Make it with: python3 -m devstack package") from why
    found = frozenset(name for source in sources for name in _NAME.findall(source))
    if not found:
        raise StepFailed(f"{package} has no functions: it is no package of `python3 -m devstack package`.")
    return found


def version(package: Path) -> str:
    """Return the version that *package* answers with once it runs. Raises StepFailed."""
    try:
        with ZipFile(package) as opened:
            said = stamp.stamped(opened.read(stamp.NAME).decode())
    except (KeyError, ValueError) as why:
        raise StepFailed(f"{package} says no version: make it with: python3 -m devstack package") from why
    return f"{said['release']}+{said['commit']}"


def _listed(app: FunctionApp, wanted: frozenset[str]) -> None:
    there = app.functions()
    if not there:
        raise NotYet("Azure lists no function yet. If it stays so, the package does not start")
    if there != wanted:
        missing, others = ", ".join(sorted(wanted - there)) or "none", ", ".join(sorted(there - wanted)) or "none"
        raise NotYet(f"Azure lists other functions than the package has. Missing: {missing}; not of it: {others}")
