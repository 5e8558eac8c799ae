"""What is read from a request: who is asking, headers, conditions, idempotency keys, bodies, fields, pages.

It imports `problems`, `answers`, the request context and the dependencies. The rest of `http` imports it, except
`problems`.
"""
