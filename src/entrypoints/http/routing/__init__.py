"""The routes of ours: what a strict one refuses, paths that match twice, allowed methods, deprecation.

It imports `requests`, `openapi` and the dependencies. The routers, `express` and the error handlers import it.
"""
