"""How `steward serve` runs uvicorn: the listening socket, the graceful end, slow clients, several worker processes.

It imports uvicorn, the settings, the logs, and from `http` what an answer needs that is made before there is a request:
problems, headers, the directory of shared figures. The command line imports it; `http` does not, so the application
runs on any ASGI server.
"""
