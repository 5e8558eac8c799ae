"""The HTTP edge: FastAPI, and no rule of the domain.

A request passes, in this order:

    protocol       what is not HTTP as it should be
    envelope       its id, the headers of its answer, and the path as the routes know it
    cors           web origins that may read the answer, where the settings list some
    catch_all      the answer for what nobody foresaw
    hosts          the names that the server answers to, where the settings list some
    strict_route   who is asking, which `authentication` finds out; parameters that are unknown or repeated; the body,
                   which `json_body` reads
    schemas        the shape of bodies; `fields` brings the domain's own rules to them
    routers/       a few lines each: call one use case, and give its result to `answers` or `pages`

Whatever goes wrong is raised, never returned. `error_handlers` makes of it one of `problem_types`, the one table of
status and meaning, written as `problems` says (RFC 9457). `documentation` and `docs_page` tell clients about all this,
and `app` puts it together.
"""
