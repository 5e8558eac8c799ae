"""Use cases, `verb_noun(uow, actor, *, …)`, and the ports they need: unit of work, password hashing, deadline.

It imports `domain` alone. The adapters implement its ports; the entry points call its use cases.
"""
