# make lab     set up and open JupyterLab       make lab ARGS=--no-browser
#
# For authors: authors.mk. PYTHON=… chooses the Python, VENV=… the folder to install into.

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

.PHONY: lab

lab: $(VENV)/lab
	@$(BIN)/labkit lab $(ARGS)

$(VENV)/made:
	$(if $(shell test -w . || echo no),$(error $(NO_RIGHT)))
	$(if $(shell df -Pk . | awk 'NR == 2 && $$4 < 1000000'),$(error $(NO_ROOM)))
	@"$(or $(FOUND),$(error $(NO_PYTHON)))" -m venv --clear $(VENV)
	@touch $@

$(VENV)/lab: pyproject.toml requirements.lock | $(VENV)/made
	@echo "Installing into $(VENV): the first time takes about a minute"
	@$(INSTALL) --editable ".[brokers,engines]"
	@touch $@

-include authors.mk
