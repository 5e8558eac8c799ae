"""The entry points: HTTP, the command line, Python. They translate, call one use case and translate back.

They import every other package except `testing` and `client`. Nothing imports them but `steward.open` in
`src/__init__.py` and the command in `src/__main__.py`.
"""
