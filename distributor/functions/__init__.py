"""
The functions of the distributor: the only package of it that knows ``azure.functions``.

``orders``, ``woocommerce``, ``health`` and ``metrics`` are the routes, ``workers`` the queues and the timer.
``problems`` and ``responses`` say what a caller receives.
"""
