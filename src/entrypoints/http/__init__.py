"""The HTTP edge: FastAPI, and no rule of the domain.

A request passes, in this order:

    protocol       what is not HTTP as it should be
    envelope       its id, the headers of its answer, and the path as the routes know it
    observed       what the access log (`access_log`) and the figures of /metrics (`metrics`) tell of it
    cors           web origins that may read the answer, where the settings list some
    catch_all      the answers for errors, and for what nobody foresaw
    hosts          the names that the server answers to, where the settings list some
    route_index    its route; what has none goes to the router of the framework
    strict_route   who is asking, which `authentication` finds out; parameters that are unknown or repeated; the body,
                   which `json_body` reads; and what its endpoint is given (`arguments`). `own_path` is one for a path
                   that another route's pattern matches, too; the body of an import goes into a file (`spooling`), and
                   is held against its digest (`content_digest`)
    schemas        the shape of bodies, `batch_schemas` that of a batch; `fields` brings the domain's own rules to them.
                   `filters` and `pages` say what may stand in the query of a list
    routers/       a few lines each: what the caller says of versions (`conditions`), one use case, once for each key
                   (`idempotency`), and its result given to `answers`, `pages` or `streaming`

On its way `request.state` takes up what later stations need: `actor` and `unit_of_work`, from `authentication`;
`content`, what stands for the body in an idempotency key, and `spool`; `is_repeatable`, once there is a key.

Whatever goes wrong is raised, never returned. `error_handlers` makes of it one of `problem_types`, the one table of
status and meaning, written as `problems` says (RFC 9457). What a route says of itself to clients is in `documentation`
and `deprecation`; `openapi_document` makes the whole document of it, with `examples`, `problem_examples` and `links`,
and `docs_page` shows it. `app` puts all together.
"""
