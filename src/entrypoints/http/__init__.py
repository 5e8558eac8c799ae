"""The HTTP edge: FastAPI, and no rule of the domain.

A request passes, in this order:

    envelope       its id, the path as the routes know it, and the answer for what nobody foresaw
    strict_route   parameters that are unknown or repeated; the body, which `json_body` reads
    schemas        the shape of bodies; `fields` brings the domain's own rules to them
    routers/       a few lines each: call one use case, and give its result to `answers` or `pages`

Whatever goes wrong is raised, never returned. `error_handlers` makes of it one of `problem_types`, the one table of
status and meaning, written as `problems` says (RFC 9457). `documentation` and `docs_page` tell clients about all this,
and `app` puts it together.
"""
