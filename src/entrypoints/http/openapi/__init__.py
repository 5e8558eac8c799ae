"""The OpenAPI document and the page /docs: what routes say of themselves, examples, links, problems.

It imports the schemas, `requests` and `problems`. The routers, `routing`, `middleware` and `app.py` import it.
"""
