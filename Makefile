# GNU make 4.x and the 3.81 of macOS. `make` alone lists what there is.
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
# The first Python that is new enough and can make virtual environments; looked for only when one is made.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	if command -v $$p >/dev/null 2>&1 && $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then echo $$p; break; fi; done)
PIP_INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes
# The programs that read exports: one of them has the name of an app of ours, so they never meet.
FORMATS := .venv-formats
# Throwaway PostgreSQL and Valkey (or the whole stack) around one command.
WITH_SERVERS := $(PY) -m hitl_site.servers --ephemeral --
WITH_STACK := $(PY) -m hitl_site.servers --stack --
EVENTS ?= ../shared/data/events_support.jsonl.gz
# Whole conversations, where the folder of the events has a recording of them.
CONVERSATIONS ?= $(wildcard $(dir $(EVENTS))trajectories.jsonl.gz)
# Where a replay leaves its exports.
REPLAYED ?= var/replay
INJECTED ?= ../shared/data/events_injection.jsonl.gz

.DEFAULT_GOAL := help
.PHONY: help setup run test check source fmt-check lint types imports migrations templates formats-environment \
	test-formats fmt lock replay replay-injection \
	screenshots bench soak clean

help: ## list all targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/.dev ## make .venv with all packages, tests and checks included

run: $(VENV)/.runtime ## start everything on this machine; settings in .env.example; stop with Ctrl-C
	@exec $(PY) manage.py up

# The order of tests is drawn from this number; `make test SEED=$RANDOM` looks for tests that hang on it.
SEED ?= 1
# One seed of hashes: what a property test draws also hangs on the order of sets.
test: $(VENV)/.dev ## run the tests beside throwaway servers; T=path runs one of them
	@$(PY) -m tests.chromium
	@PYTHONHASHSEED=0 $(WITH_SERVERS) $(PY) -m pytest --randomly-seed=$(SEED) $(if $(T),-n 0 $(T),-n 2 --dist loadgroup --no-loadscope-reorder)

check: $(VENV)/.dev ## all that must hold before a change goes in
	@$(MAKE) --jobs=2 source
	@$(MAKE) test

source: fmt-check lint types imports migrations ## all of that which runs no test; with -j2 side by side

fmt-check: $(VENV)/.dev ## is the code formatted?
	$(PY) -m ruff format --check .

lint: $(VENV)/.dev ## ruff
	$(PY) -m ruff check .

types: $(VENV)/.dev ## mypy, strict
	$(PY) -m mypy .
	cd sdk/python && ../../$(PY) -m mypy --config-file pyproject.toml tests

imports: $(VENV)/.dev ## do the apps import only what they may?
	PYTHONPATH=.:sdk/python/src $(BIN)/lint-imports

migrations: $(VENV)/.dev ## is a migration missing?
	$(WITH_SERVERS) $(PY) manage.py makemigrations --check --dry-run

templates: $(VENV)/.dev ## are the templates free of what the policy forbids?
	$(WITH_SERVERS) $(PY) -m pytest -q -n 0 -m "not browser" hitl_site/tests/test_templates.py

formats-environment: $(FORMATS)/.ready ## install what reads exports, in an environment of its own

test-formats: $(VENV)/.dev $(FORMATS)/.ready ## every export format, read by the programs that it is for
	@rm -rf $(FORMATS)/files && mkdir $(FORMATS)/files
	@$(PY) -m tests.formats.files $(FORMATS)/files
	@cd $(FORMATS) && env -u PYTHONPATH bin/python -P -m pytest -c ../tests/formats/readers/pytest.ini \
		--confcutdir ../tests/formats/readers ../tests/formats/readers

fmt: $(VENV)/.dev ## format the code
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

lock: ## pin every package anew, with hashes (needs uv, https://docs.astral.sh/uv/)
	@command -v uv >/dev/null 2>&1 || { echo "make lock needs uv: pip install uv"; exit 1; }
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --output-file requirements.txt requirements.in
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --output-file requirements-dev.txt requirements-dev.in
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --override tests/formats/overrides.txt \
		--output-file requirements-formats.txt requirements-formats.in

replay: $(VENV)/.dev ## recorded agents through a fresh stack, then every export, checked; EVENTS=file
	@$(WITH_STACK) sh -c '$(PY) manage.py replay "$(EVENTS)" --url "$$HANDRAIL_URL" \
		$(if $(CONVERSATIONS),--conversations "$(CONVERSATIONS)") --export "$(REPLAYED)" --every-format'

replay-injection: $(VENV)/.dev ## agents under attack, asked of the gate under three kinds of policy; INJECTED=file
	@$(WITH_STACK) sh -c '$(PY) manage.py replay_injection "$(INJECTED)" --url "$$HANDRAIL_URL"'

screenshots: $(VENV)/.dev ## the pictures of the README, from a fresh stack with demo data
	@$(PY) -m tests.chromium
	@HANDRAIL_DEMO=1 $(WITH_STACK) $(PY) -m tests.screenshots

bench: $(VENV)/.dev ## the benchmarks, against a fresh stack
	@$(WITH_STACK) $(PY) -m benchmarks

soak: $(VENV)/.dev ## ten minutes of agents, people and faults against a stack of its own; SECONDS=, SEED=
	@SECONDS="$(SECONDS)" SEED="$(SEED)" PYTHONPATH=.:sdk/python/src $(PY) -m tests.history

clean: ## remove the virtual environment and caches; var/ holds your data and stays
	rm -rf $(VENV) $(FORMATS) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { \
		echo "Handrail needs Python 3.11 or newer with the venv module (Debian: apt-get install python3-venv)."; \
		echo "Where it has another name: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); exit 1; }

# A stamp per set of packages: `make run` does not wait for test tools, and nothing is installed twice.
$(VENV)/.runtime: requirements.txt | $(VENV)/bin/python
	@echo "Installing the packages of requirements.txt into $(VENV) (once) ..."
	@$(PIP_INSTALL) -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements.txt requirements-dev.txt | $(VENV)/bin/python
	@echo "Installing the packages of requirements.txt and requirements-dev.txt into $(VENV) (once) ..."
	@$(PIP_INSTALL) -r requirements.txt -r requirements-dev.txt
	@touch $(VENV)/.runtime $@

# Its packages are named to the last one: --no-deps leaves out what two of them only need to load models.
$(FORMATS)/.ready: requirements-formats.txt tests/formats/node/package-lock.json | $(VENV)/bin/python
	@echo "Installing the readers of exports into $(FORMATS) (once; about a gigabyte) ..."
	@$(VENV)/bin/python -m venv --clear $(FORMATS)
	@$(FORMATS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
		-r requirements-formats.txt
	@cp -R tests/formats/node $(FORMATS)/node
	@cd $(FORMATS)/node && ../bin/npm ci --loglevel=error
	@touch $@
