"""Problem details (RFC 9457): the one table of status and meaning, and how a problem is written as an answer.

It imports `domain.errors` and the request id. The rest of `http` imports it, and `entrypoints.server`.
"""
