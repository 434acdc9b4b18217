# What only authors of the course need; students' copies of the lab are without it.
#
# make test    set up, and run what a change must pass        make test ARGS="-k crash"
# make long    all that takes longer; make system: what needs Chromium and strace; make examples: with many more of them
# make bench   measure side by side, and write bench/RESULTS.md; make bench ONLY=sweep: what has this in its name
# make lint, exercises, notebooks, docs, environment, lock: CONTRIBUTING.md says when

WIDE := --numprocesses auto --dist worksteal

.PHONY: test system long examples lint bench measured tried exercises notebooks docs environment lock

test: lint
	$(BIN)/python -m pytest $(WIDE) --durations 25 -m "not long" $(ARGS)

system: $(VENV)/test
	$(BIN)/python -m pytest $(WIDE) -m "not long" tests/system $(ARGS)

long: $(VENV)/test
	$(BIN)/python -m pytest $(WIDE) -o "norecursedirs=.*" -m long $(ARGS)

examples: $(VENV)/test
	$(BIN)/python -m pytest $(WIDE) -m hypothesis --hypothesis-profile many --timeout 1200 $(ARGS)

lint: $(VENV)/test
	$(BIN)/ruff check
	$(BIN)/ruff format --check

# In an environment of its own: a test then never meets what is only there to be compared.
bench:
	@$(MAKE) --no-print-directory VENV=.venv-bench measured

measured: $(VENV)/bench .venv-graders/made
	@$(BIN)/python bench $(ONLY)

# Graders that people use: their packages conflict with labkit's. What cannot be installed is told as not measured.
.venv-graders/made: | $(VENV)/bench
	-@$(BIN)/python -m venv --clear .venv-graders && \
		.venv-graders/bin/python -m pip install --quiet nbgrader otter-grader && touch $@

# How hard labkit's mechanisms have been tried: make tried ARGS=tests/long
tried: $(VENV)/test
	$(BIN)/python tools/tried.py $(ARGS)

exercises environment notebooks docs: $(VENV)/test
	$(BIN)/python tools/$@.py $(ARGS)

# Not from $(VENV)/test: that needs a lock which fits pyproject.toml already.
lock: | $(VENV)/made
	@$(INSTALL) uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --extra brokers --extra engines --extra test --extra bench --no-header --no-annotate --quiet \
		--only-binary :all: --output-file requirements.lock $(ARGS) pyproject.toml

$(VENV)/test: pyproject.toml requirements.lock | $(VENV)/made
	@echo "Installing into $(VENV): the first time takes about a minute"
	@$(INSTALL) --editable ".[brokers,engines,test]"
	@touch $@ $(VENV)/lab

$(VENV)/bench: $(VENV)/test
	@$(INSTALL) --editable ".[bench]"
	-@$(INSTALL) "frontrun[process,sql]==0.7.0" # not in the lock: it is not ready built for every system
	@touch $@
