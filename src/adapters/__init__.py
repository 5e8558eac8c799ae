"""The adapters: everything that touches a database, a disk, a clock or a thread, each behind a port of an inner layer.

They import `domain` and `service_layer`. `bootstrap` and the entry points import them; the inner layers never do.
"""
