"""PayFlow's functions: the only package of it that knows ``azure.functions``."""
