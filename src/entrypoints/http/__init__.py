"""The HTTP entry point: FastAPI, and no rule of the domain.

A request passes, in this order:

    entrypoints/server/protocol   what is not HTTP as it should be
    middleware/envelope           its id, its tally, the headers of its answer, and the path as the routes know it
    middleware/observed           what the access log (`access_log`) and /metrics (`metrics`) count of it
    middleware/cors               web origins that may read the answer, where the settings list some
    middleware/catch_all          the answers for errors, and for what was not foreseen
    middleware/hosts              the names that the server answers to, where the settings list some
    FastAPI's router              its route, and the arguments of its endpoint; for plain routes of ours `express` finds
                                  both faster, unless it is switched off
    routing/strict_route          who is asking, which `requests/authentication` finds out; the body, and parameters
                                  that are unknown or repeated (`requests/strict_request`). `routing/exclusive_path` is
                                  for a path that the pattern of another route matches, too. The body of an import goes
                                  into a file (`requests/spooling`); `requests/content_digest` checks its digest
    schemas, batch_schemas        the shape of bodies; `requests/fields` applies the domain's rules to them;
                                  `requests/filters` and `requests/pages` say what may stand in the query of a list
    routers/                      a few lines each: what the caller says of versions (`requests/conditions`), one use
                                  case, once for each key (`requests/idempotency`), and its result given to `answers`,
                                  `requests/pages` or `streaming`

What the layers hand to each other is in one `RequestContext` (`request_context`); what the application and the server
tell each other is in `server_state`. `dependencies` has what a route takes besides: the unit of work, and the reading
block that a GET names in its signature.

Whatever goes wrong is raised, never returned. `error_handlers` makes of it one of `problems/problem_types`, the one
table of status and meaning, written as `problems/problem_responses` says (RFC 9457). What a route says of itself to
clients is in `openapi/documentation` and `routing/deprecation`; `openapi/document` makes the whole document of it, and
`openapi/docs_page` shows it. `app` puts all together.

It imports `bootstrap` and below. The command line imports it; `entrypoints.server` imports its problems and headers.
"""
