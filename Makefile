# `make help` lists everything. The two that a newcomer needs: `make run` and `make test`.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# uv where it is there, because it is ten times as fast; pip alone does the same.
UV     := $(shell command -v uv 2>/dev/null)
ifdef UV
INSTALL_LOCKED = $(UV) pip install --quiet --python $(BIN)/python --require-hashes -r
INSTALL_HERE   = $(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
else
INSTALL_LOCKED = $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r
INSTALL_HERE   = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
endif

.PHONY: help run test test-all test-rest ordinary-path serializable scale fuzz faults faults-short bench bench-scale bench-login bench-pages check format openapi release-openapi lock clean
.DEFAULT_GOAL := help

help: ## List the targets
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 17

run: $(VENV)/run.done ## Start the server on a SQLite file under var/
	@exec $(BIN)/steward serve

PYTEST = $(BIN)/python -m pytest -n 2 --dist loadscope

test: $(VENV)/dev.done ## Run the short suite: each promise in memory, on SQLite, and on a real PostgreSQL
	@$(PYTEST) $(or $(TESTS),--suite=short)

test-all: $(VENV)/dev.done ## Run every test but those of faults, fuzz and scale
	@$(PYTEST) --suite=all
	@$(MAKE) --no-print-directory ordinary-path serializable

test-rest: $(VENV)/dev.done ## Run what test-all has beyond test
	@$(PYTEST) --suite=rest
	@$(MAKE) --no-print-directory ordinary-path serializable

ordinary-path: $(VENV)/dev.done ## The short suite's tests of databases again, without the express lane
	@STEWARD_EXPRESS=off $(PYTEST) -k "sqlite or postgres" --suite=short

# Where a conflict could show. Not with plain sessions, which nobody runs again, nor what is about READ COMMITTED itself.
SERIALIZABLE = tests/contract/test_contract.py tests/integration/use_cases $(wildcard tests/integration/transactions/test_racing_*.py) \
  $(patsubst %,tests/e2e/http/test_%.py,batch conditional_requests idempotency items sessions two_processes users)

serializable: $(VENV)/dev.done ## Contract, use cases, races and requests again, with every transaction on PostgreSQL serializable
	@STEWARD_TEST_ISOLATION=serializable $(BIN)/python -m pytest -n 2 --dist loadscope -k postgres $(SERIALIZABLE)

scale: $(VENV)/dev.done ## The tests at scale alone, with 100,000 items on SQLite and on PostgreSQL
	@STEWARD_TEST_ITEMS=100000 $(BIN)/python -m pytest tests/e2e/test_at_scale.py tests/e2e/test_item_files_at_scale.py tests/integration/operations/test_migration_of_search_text.py
	@STEWARD_TEST_ITEMS=100000 $(BIN)/python -m pytest tests/e2e/test_cli_copy.py -k little_memory

fuzz: $(VENV)/dev.done ## Send tens of thousands of generated requests, on SQLite and on PostgreSQL
	@STEWARD_TEST_EXAMPLES=$${STEWARD_TEST_EXAMPLES:-250} $(BIN)/python -m pytest -n 2 -rP tests/e2e/hostile

faults-short: $(VENV)/dev.done ## The checks of faults in a few rounds, and the mutants that they have to catch
	@$(PYTEST) tests/faults

faults: $(VENV)/dev.done ## Kill, cut and crowd servers and databases, and compare what was acknowledged with what is there
	@$(BIN)/python -m tests.faults $(CHECKS)

bench: $(VENV)/dev.done ## Steward, express lane on and off, beside a bare server and an ordinary one: 15 minutes
	@$(BIN)/python -m benchmarks.speed

bench-scale: $(VENV)/dev.done ## What a request costs with 10,000 to a million items, and with 1 to 512 connections
	@$(BIN)/python -m benchmarks.speed.scale

bench-login: $(VENV)/dev.done ## Whether the time of a refused sign-in tells why: fails beyond 10 %
	@$(BIN)/python benchmarks/login.py

bench-pages: $(VENV)/dev.done ## What page 1,000 costs beside page 1 at a million items: fails beyond twice
	@$(BIN)/python -m benchmarks.pages

check: $(VENV)/dev.done ## What CI looks at before the tests: ruff, mypy, pyright, import-linter
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/basedpyright
	@$(BIN)/python -m tests.typed
	@$(BIN)/lint-imports

format: $(VENV)/dev.done ## Format the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

openapi: $(VENV)/dev.done ## Write openapi.json, the contract as the code has it
	@$(BIN)/python -m tests.support.openapi_file

release-openapi: $(VENV)/dev.done ## Keep openapi.json as the one of this version's release (docs/releasing.md)
	@$(BIN)/python -m tests.support.openapi_file --release

lock: ## Renew requirements.lock and requirements-dev.lock (needs uv)
	@for group in run dev; do \
	  lock=requirements.lock; extra=; \
	  [ $$group = dev ] && { lock=requirements-dev.lock; extra="--group dev"; }; \
	  uv pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-emit-find-links --no-annotate --no-header --group build $$extra -o $$lock; \
	done

clean: ## Remove what the targets above made, except the data under var/
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .schemathesis .import_linter_cache

$(BIN)/python:
	@echo "Making $(VENV) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/run.done: $(BIN)/python requirements.lock pyproject.toml
	@echo "Installing ..."
	@$(INSTALL_LOCKED) requirements.lock
	@$(INSTALL_HERE)
	@touch $@

$(VENV)/dev.done: $(BIN)/python requirements-dev.lock pyproject.toml
	@echo "Installing ..."
	@$(INSTALL_LOCKED) requirements-dev.lock
	@$(INSTALL_HERE)
	@touch $@ $(VENV)/run.done
