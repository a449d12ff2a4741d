"""
The distributor as the Functions host finds it.

Importing this module does nothing and needs no setting: an app whose module raises has no functions
at all and answers 404. What is not configured is found at first use and answered with 503.
"""

from __future__ import annotations

import azure.functions as func

from distributor.functions import console, health, metrics, orders, woocommerce, workers

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
for part in (orders, woocommerce, health, metrics, console, workers):
    app.register_functions(part.blueprint)
