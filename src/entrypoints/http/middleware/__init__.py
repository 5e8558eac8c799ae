"""The ASGI layers around the routes, and what they observe: headers, CORS, hosts, access log, metrics, last resort.

It imports the settings, `bootstrap`, `problems`, `requests` and, for CORS, the list of headers in `openapi`. `routing`,
the routers, `app.py`, `entrypoints.server` and the command `serve` import it.
"""
