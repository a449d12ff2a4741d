"""The operator's command line: ``python3 -m payflow``."""

from __future__ import annotations

import sys

try:
    from foundation.unread import until_unread
    from payflow.cli.commands import main
except ModuleNotFoundError as missing:
    sys.exit(
        f"The library {missing.name} is not there: run the command with the Python that has payflow/requirements.txt, "
        "like .venv/bin/python -m payflow (Windows: .venv\\Scripts\\python)."
    )

if __name__ == "__main__":
    sys.exit(until_unread(main, sys.argv[1:]))
