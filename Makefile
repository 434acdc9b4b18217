# make lab     set up and open JupyterLab       make lab ARGS=--no-browser
# make test    set up and run every test        make test ARGS="-k crash"
# make system  what needs Chromium and strace, or takes minutes; make long: what takes many
# make bench   measure side by side
#
# For authors: make lint, exercises, notebooks, docs, environment, lock. CONTRIBUTING.md says when.
# PYTHON=… chooses the Python, VENV=… the folder to install into.

VENV := .venv
BIN := $(VENV)/bin

# ensurepip: Debian and Ubuntu leave it out of Python unless python3-venv is installed.
FITS := import sys, ensurepip; sys.exit(sys.version_info < (3, 11))
FOUND = $(shell for python in $(if $(PYTHON),"$(PYTHON)",python3 python3.14 python3.13 python3.12 python3.11); do \
	"$$python" -c '$(FITS)' 2>/dev/null && echo "$$python" && break; done)
NO_PYTHON = Python 3.11 or newer is needed, with its venv module; make PYTHON=/path/to/python says where it is
NO_RIGHT = there is no right to write in $(CURDIR)
NO_ROOM = there is too little room on this disk: 1 GB is needed

UV := $(shell command -v uv 2>/dev/null)
INSTALL = $(if $(UV),"$(UV)" pip install --python $(BIN)/python,$(BIN)/python -m pip install) --quiet \
	--constraint requirements.lock

WIDE := --numprocesses auto --dist worksteal

.PHONY: lab test system long lint bench exercises notebooks docs environment lock

lab: $(VENV)/lab
	@$(BIN)/labkit lab $(ARGS)

test: lint
	$(BIN)/python -m pytest $(WIDE) --durations 25 $(ARGS)

system: $(VENV)/test
	$(BIN)/python -m pytest $(WIDE) tests/system $(ARGS)

long: $(VENV)/test
	$(BIN)/python -m pytest $(WIDE) tests/long $(ARGS)

lint: $(VENV)/test
	$(BIN)/ruff check
	$(BIN)/ruff format --check

bench: $(VENV)/bench
	@for script in bench/*.py; do $(BIN)/python $$script || exit; done

exercises environment notebooks docs: $(VENV)/test
	$(BIN)/python tools/$@.py $(ARGS)

# Not from $(VENV)/test: that needs a lock which fits pyproject.toml already.
lock: | $(VENV)/made
	@$(INSTALL) uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --extra test --extra bench --no-header --no-annotate --quiet \
		--only-binary :all: --output-file requirements.lock $(ARGS) pyproject.toml

$(VENV)/made:
	$(if $(shell test -w . || echo no),$(error $(NO_RIGHT)))
	$(if $(shell df -Pk . | awk 'NR == 2 && $$4 < 1000000'),$(error $(NO_ROOM)))
	@"$(or $(FOUND),$(error $(NO_PYTHON)))" -m venv --clear $(VENV)
	@touch $@

$(VENV)/lab: pyproject.toml requirements.lock | $(VENV)/made
	@echo "Installing into $(VENV): the first time takes about a minute"
	@$(INSTALL) --editable .
	@touch $@

$(VENV)/test: pyproject.toml requirements.lock | $(VENV)/made
	@echo "Installing into $(VENV): the first time takes about a minute"
	@$(INSTALL) --editable ".[test]"
	@touch $@ $(VENV)/lab

$(VENV)/bench: $(VENV)/test
	@$(INSTALL) --editable ".[bench]"
	@touch $@
