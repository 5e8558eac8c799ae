"""Use cases, `verb_noun(uow, actor, *, …)`, and the port that says when their transaction ends."""
