"""The operator's command line: ``python3 -m payflow``."""

from __future__ import annotations

import sys

from payflow.cli.commands import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
