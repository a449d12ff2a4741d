"""Mail: building a message, handing it to a server phase by phase, and reading what the server answers."""
