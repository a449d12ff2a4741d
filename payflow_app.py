"""
PayFlow as the Functions host finds it: its package has this file as function_app.py.

Importing this module does nothing and needs no setting: an app whose module raises has no functions at all.
"""

from __future__ import annotations

import azure.functions as func

from payflow.functions import bounces, connect, console, health, mail_events, metrics, office, workers

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
for part in (bounces, connect, console, health, mail_events, metrics, office, workers):
    app.register_functions(part.blueprint)
