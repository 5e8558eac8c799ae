"""The domain: users, items, login sessions, their rules, errors and repository ports. Pure Python, no I/O, no clock.

It imports nothing but the standard library. Every other package may import it, except `client`.
"""
