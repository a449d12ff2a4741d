"""``python -m devstack.host``."""

import os
import sys

from devstack.host.run import main

status = main()
sys.stdout.flush()
os._exit(status)  # as in Azure, nothing tells the app that it ends; what it left open is not its fault
