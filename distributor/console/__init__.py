"""The operator's console: pages that show what the commands show, and acts that run the commands themselves."""
