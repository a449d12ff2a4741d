"""``python -m distributor``: the operator's command line."""

import sys

try:
    from distributor.cli import main
    from foundation.unread import until_unread
except ModuleNotFoundError as missing:
    sys.exit(
        f"The library {missing.name} is not there: run the command with the Python that has requirements.txt, like "
        ".venv/bin/python -m distributor (Windows: .venv\\Scripts\\python)."
    )

sys.exit(until_unread(main, sys.argv[1:]))
