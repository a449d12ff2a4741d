"""``python -m distributor``: the operator's command line."""

import sys

from distributor.cli import main

sys.exit(main(sys.argv[1:]))
