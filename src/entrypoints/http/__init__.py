"""The HTTP edge: FastAPI."""
