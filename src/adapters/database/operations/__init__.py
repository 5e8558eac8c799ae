"""What an operator does with a database: migrate its schema, back it up, restore it, copy it, check its durability.

It imports the rest of `adapters.database`, none of which imports it. The command line and `steward.open` do, and the
migrations' environment.
"""
