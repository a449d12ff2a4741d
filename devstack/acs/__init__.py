"""A strict stand-in for the mail API of Azure Communication Services."""
