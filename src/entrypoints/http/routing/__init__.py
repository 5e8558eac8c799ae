"""How a request finds its route and its arguments: strict routes, paths that match twice, allowed methods, deprecation.

It imports `requests`, `middleware`, `openapi` and the dependencies. The routers, the error handlers and `app.py`
import it.
"""
