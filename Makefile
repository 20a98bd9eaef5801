# Every target sets up what it needs, once: stamps in the virtual environments are named after the
# checksum of what they were made from, so nothing is done twice and nothing goes stale.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

METERS ?= 60000
SERVE ?= 1
JOBS ?= 2
ARGS ?=

VENV := .venv
NEWEST := .venv-newest-beam
BIN := $(VENV)/bin
UV := $(BIN)/uv

checksum = $(shell cat $(1) | cksum | cut -d ' ' -f 1)
SETUP := $(VENV)/.setup-$(call checksum,requirements/all.txt requirements/uv.txt pyproject.toml)
NEWEST_SETUP := $(NEWEST)/.setup-$(call checksum,requirements/newest-beam.txt requirements/uv.txt pyproject.toml)
BROWSER := $(VENV)/.browser
PROGRAMS := $(VENV)/.programs

.PHONY: help setup demo test test-cluster check bench format lock browser test-newest-beam clean

help: ## List the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/:.*## /\t/' | expand -t 20

setup: $(SETUP) ## Install everything at its pinned version into .venv, from hashed requirements.

demo: $(SETUP) ## Generate a synthetic Britain, count it and show it (METERS=60000; SERVE=0 stops before serving).
	@$(BIN)/rollout demo --meters $(METERS) $(if $(filter 0,$(SERVE)),--no-serve)

test: $(SETUP) $(BROWSER) $(PROGRAMS) ## Run all tests but those on clusters (ARGS='-k words' to choose, JOBS=2 at a time).
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m 'not cluster' $(ARGS)

test-cluster: $(SETUP) $(PROGRAMS) ## Run the tests on a real broker, Flink cluster and PostgreSQL (ROLLOUT_KILLS=5, JOBS=2).
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder -m cluster $(ARGS)

check: $(SETUP) ## Check format, lint, types, layers, dependencies and the shape of the repository.
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/basedpyright
	@$(BIN)/lint-imports
	@$(BIN)/deptry .
	@$(BIN)/python -m schemas.compatibility
	@$(BIN)/python -m pytest -q tests/test_repository.py

bench: $(SETUP) ## Run the benchmarks and print their table (ARGS are passed on).
	@$(BIN)/python -m benchmarks $(ARGS)

format: $(SETUP) ## Format the code and mend what can be mended safely.
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

test-newest-beam: $(NEWEST_SETUP) ## Run the tests that run a Beam pipeline on the newest Beam.
	@$(NEWEST)/bin/python -c 'import apache_beam; print("apache-beam", apache_beam.__version__)'
	@$(NEWEST)/bin/python -m pytest -n $(JOBS) --dist loadfile -m beam $(ARGS)

browser: $(BROWSER) ## Install Chromium if there is none.

lock: $(SETUP) ## Resolve the newest versions that fit and write requirements/*.txt with hashes.
	@$(COMPILE) --all-extras --group dev pyproject.toml -o requirements/all.txt
	@$(COMPILE) --extra dashboard --extra postgresql pyproject.toml -o requirements/dashboard.txt
	@$(COMPILE) --all-extras --group test --override requirements/newest-beam.in pyproject.toml \
		-o requirements/newest-beam.txt
	@$(COMPILE) requirements/uv.in -o requirements/uv.txt

COMPILE = $(UV) pip compile --quiet --upgrade --python-platform linux --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-config --custom-compile-command 'make lock'

clean: ## Remove what the targets made: virtual environments, caches and builds.
	@rm -rf $(VENV) $(NEWEST) build *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# A virtual environment ($(1)) that holds exactly what one requirements file ($(2)) says, uv, and this project.
define install
	python=$$(for name in "$${PYTHON:-}" python3.11 python3 python; do \
		if [ -n "$$name" ] && "$$name" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; \
		then echo "$$name"; break; fi; done); \
	if [ -z "$$python" ]; then \
		echo "Python 3.11 is needed and was not found; install it, or name it with PYTHON=/path/to/python3.11." >&2; \
		exit 2; fi; \
	echo "Setting up $(1) with hashed requirements"; \
	[ -x $(1)/bin/pip ] || "$$python" -m venv $(1); \
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt; \
	export VIRTUAL_ENV="$(CURDIR)/$(1)"; \
	$(1)/bin/uv pip sync --quiet --compile-bytecode --require-hashes --build-constraints requirements/all.txt \
		requirements/uv.txt $(2); \
	$(1)/bin/uv pip install --quiet --no-deps --no-build-isolation --editable .; \
	rm -f $(1)/.setup-*; touch $@
endef

$(SETUP):
	@$(call install,$(VENV),requirements/all.txt)

$(NEWEST_SETUP):
	@$(call install,$(NEWEST),requirements/newest-beam.txt)

# PostgreSQL, of which the tests start a server of their own, and Prometheus's tool that checks alerts: Debian's programs.
$(PROGRAMS): $(SETUP)
	@missing=; \
	command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="postgresql"; \
	command -v promtool >/dev/null || missing="$$missing prometheus"; \
	if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "Installing $$missing"; \
			apt-get -qq update; \
			DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $$missing >/dev/null; \
		else echo "The tests need programs of Debian's packages $$missing; install them." >&2; exit 2; fi; fi
	@touch $@

# Debian's Chromium where we may install it, Playwright's own elsewhere.
$(BROWSER): $(SETUP)
	@if ! command -v chromium >/dev/null; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "Installing Chromium"; \
			apt-get -qq update; \
			DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install chromium >/dev/null; \
		else $(BIN)/playwright install chromium; fi; fi
	@touch $@
