"""``python -m devstack.host``."""

from devstack.host.run import main

main()
