# syntax=docker/dockerfile:1
# Two stages: what is needed to install stays behind in the first one.

FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/steward
# The dependencies first: they change less often than the source, and until they do their layer is used again.
COPY requirements.lock /source/
RUN /opt/steward/bin/pip install --require-hashes --only-binary :all: -r /source/requirements.lock
COPY pyproject.toml README.md /source/
COPY src /source/src
RUN /opt/steward/bin/pip install --no-deps /source

FROM python:3.13-slim
# By number, so that an orchestrator can see that it is not root.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/steward steward \
    && install --directory --owner=steward --group=steward /var/lib/steward
COPY --from=build /opt/steward /opt/steward
ENV PATH=/opt/steward/bin:$PATH PYTHONUNBUFFERED=1
USER 10001:10001
# Where a SQLite file goes, if no other database is named.
WORKDIR /var/lib/steward
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
# It listens on loopback alone, which inside a container nobody reaches: docker-compose.yml says otherwise.
CMD ["steward", "serve", "--port", "8000"]
