"""The rules of a unit of work that all backends share: how blocks nest and end, who may use them, what has failed.

It knows no database: a backend brings a `Transaction` (`transaction.py`) and repositories whose methods are marked
`@reads`, `@locks` or `@writes` (`guards.py`). It imports `domain`, `service_layer` and the clock; `memory` and
`database` import it.
"""
