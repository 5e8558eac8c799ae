"""The routes, one router for each subject. A route calls one use case and hands its result to `answers`.

They import everything else of `http`; `app.py` alone imports them.
"""
