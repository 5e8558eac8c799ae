"""Everything that is odd about asyncpg and aiosqlite, each line with its reason.

It imports `domain`, `adapters.unit_of_work` and the error translation. The rest of `adapters.database` imports it, and
the settings, `bootstrap` and the command line ask it what a URL means.
"""
