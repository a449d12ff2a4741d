"""The front door: who signed a request, what it orders, and whether it may come in. Nothing here knows a node."""
