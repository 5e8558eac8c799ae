"""The fast way for our own routes: found in a dictionary, their arguments by a list that is made once.

FastAPI asks every route whether it matches, and walks the tree of dependencies anew for each request. For a small
request that is most of what happens. This package does both for a `StrictRoute` whose endpoint and dependencies are of
the plain kind that ours are; all other requests go on to FastAPI's router, and so do all of them with
`STEWARD_EXPRESS=off`. It uses public names of FastAPI, Starlette and pydantic only. `app` alone imports it: without
this package and that import everything works, and takes longer.

    express_routes  finds the route of a request
    arguments       finds the arguments of its endpoint
"""
