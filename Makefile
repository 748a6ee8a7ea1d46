# Two commands on a fresh machine: make demo, make test. Both make the virtual environment first.
SHELL := /bin/bash
PYTHON ?= python3
PY := .venv/bin/python

# Processes that run the tests, three for each core since many tests wait for something, and two where few do: each costs
# five seconds of CPU before its first test. The seed of their order; and how often `make test-under-load` runs them.
PER_CORE = 3
WORKERS ?= $(shell echo $$(($(PER_CORE) * $$($(PYTHON) -c 'import os; print(os.cpu_count())'))))
ORDER ?= $(shell echo $$RANDOM)
RUNS ?= 5
# Python keeps what it compiles: the tests start it some hundred times.
unexport PYTHONDONTWRITEBYTECODE
PYTEST = $(PY) -m pytest --numprocesses $(WORKERS) --maxprocesses 8 --dist worksteal --randomly-seed $(ORDER)

# The scan for secrets, in the files that git has or would take.
SCAN = --config tools/supply_chain/kingfisher.yaml --git-history none --no-dedup --quiet

# What docs/operations.md says about a machine that fails.
MACHINE = $(addprefix tests/contract/test_ledger_,file.py health.py gevent.py claims.py clock.py server_clock.py reach.py altered.py plans.py) \
	$(addprefix tests/integration/test_,bad_machines.py crashes.py ledger_processes.py server_limits.py)

SEEDS ?= 100000
# What `make mutants` is asked for: MUTANTS="--only cobrowse/flow.py" or MUTANTS="--part 1/10".
MUTANTS ?=
MINUTES ?= 20

.PHONY: demo test test-fast test-under-load serve lint generate lock format clean simulate bench figures profile faults fuzz soak mutants licences

# What the service runs on, for demo and serve; and what tests and lint need besides.
.venv/.installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, not %s; name one with make PYTHON=…" % sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --disable-pip-version-check --require-hashes --no-deps --no-compile -r requirements.txt
	@printf '#!/bin/sh\nexec "%s/.venv/bin/python" "%s/cli.py" "$$@"\n' "$$PWD" "$$PWD" > .venv/bin/cobrowse-bridge
	@chmod +x .venv/bin/cobrowse-bridge
	@touch $@

.venv/.installed-dev: .venv/.installed requirements/dev.txt
	$(PY) -m pip install --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

demo: .venv/.installed    ## start the sandbox and the service, run one data action, stop both
	@$(PY) cli.py demo

serve: .venv/.installed   ## keep the sandbox and the service running, for curl and Postman
	@$(PY) cli.py demo --serve

test: .venv/.installed-dev    ## all tests, over real sockets, in random order
	$(PYTEST)

test-fast: PER_CORE = 2
test-fast: .venv/.installed-dev    ## unit and contract tests, without those that start processes
	$(PYTEST) -m "not slow and not browser and not crash" tests/unit tests/contract

test-under-load: .venv/.installed-dev    ## make test RUNS times next to two busy loops
	@for loop in 1 2; do while kill -0 $$$$ 2>/dev/null; do :; done & done; \
	for run in $$(seq $(RUNS)); do echo "run $$run of $(RUNS)"; $(MAKE) --no-print-directory test || exit 1; done

lint: .venv/.installed-dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PY) -m tools.api_reference --check
	git ls-files -z --cached --others --exclude-standard | xargs -0 .venv/bin/kingfisher scan $(SCAN)

generate: .venv/.installed-dev    ## write the generated files: API reference, Postman, data action, settings' tables
	$(PY) -m tools.api_reference
	$(PY) -m tools.reference_tables

# A twentieth of them on the ledger's own statements as well, with the callbacks: there a run takes some seven times as long.
simulate: .venv/.installed-dev    ## exactly once, over SEEDS runs; replay a failing one with --seed N
	$(PY) -m tests.simulation --seeds $(SEEDS) --workers 2
	$(PY) -m tests.simulation --stored --seeds $$(($(SEEDS) / 20)) --workers 2

faults: .venv/.installed-dev      ## every upstream call x every failure, then failures of the machine
	$(PY) -m tests.robustness.faults
	$(PY) -m tests.robustness.million
	$(PYTEST) $(MACHINE)

# It tells git to pass it over, as Python 3.13's venv does by itself. A wheel or nothing: see requirements/fuzz.in.
.venv-fuzz/.installed: requirements/fuzz.txt
	$(PYTHON) -m venv .venv-fuzz
	@echo '*' > .venv-fuzz/.gitignore
	.venv-fuzz/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary atheris -r requirements/fuzz.txt
	@touch $@

fuzz: .venv/.installed-dev .venv-fuzz/.installed ## 100,000 hostile inputs, and half as many guided by coverage
	$(PY) -m tests.robustness.fuzz
	@if .venv-fuzz/bin/python -c 'import atheris'; then .venv-fuzz/bin/python -m tests.robustness.coverage -max_total_time=120; \
	else echo 'no part guided by coverage: atheris has no wheel for this Python, see requirements/fuzz.in'; fi

soak: .venv/.installed-dev        ## all senders, faults and restarts for MINUTES, reconciled row by row
	$(PY) -m tests.robustness.soak --minutes $(MINUTES)

.venv-mutants/.installed: requirements/mutants.txt
	$(PYTHON) -m venv .venv-mutants
	.venv-mutants/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/mutants.txt
	@touch $@

mutants: .venv-mutants/.installed ## mutation tests: the tests must detect each change of the code
	.venv-mutants/bin/python -m tools.mutation $(MUTANTS)

# For .ci/audit, `make licences` and the bill of materials.
.venv-audit/.installed: requirements/audit.txt
	$(PYTHON) -m venv .venv-audit
	@echo '*' > .venv-audit/.gitignore
	.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/audit.txt
	@touch $@

licences: .venv/.installed .venv-audit/.installed ## the service's packages and their licences
	@.venv-audit/bin/pip-licenses --python $(PY) --with-urls \
		--packages $$(sed -n 's/^\([a-z0-9-]*\)==.*/\1/p' requirements.txt) $(LICENCES)

# Without the hashes: requirements.txt has them, for every file of every release.
deploy/sbom.cdx.json: requirements.txt .venv-audit/.installed
	@grep -v -- --hash= requirements.txt | sed 's/ *\\$$//' | .venv-audit/bin/cyclonedx-py requirements \
		--output-reproducible --short-PURLs --output-file $@ -

.venv-bench/.installed: requirements/bench.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	@touch $@

bench: .venv-bench/.installed ## comparison with alternatives; needs wrk; about eight minutes (ONLY=overload,memory for some)
	.venv-bench/bin/python -m tests.performance --only '$(ONLY)'

figures: .venv/.installed-dev ## write the last benchmark's figures into the documentation: make bench figures
	$(PYTHON) -m tests.performance.publish

profile: .venv-bench/.installed ## a worker's CPU time under load, by function and package
	.venv-bench/bin/python -m tests.performance.hotspots

format: .venv/.installed-dev
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

lock: .venv/.installed-dev    ## resolve all requirements
	for name in requirements requirements/dev requirements/bench requirements/fuzz requirements/mutants requirements/audit; do \
		$(PY) -m uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate \
			--custom-compile-command 'make lock' $$name.in -o $$name.txt || exit 1; done
	$(MAKE) deploy/sbom.cdx.json

clean:
	rm -rf .venv .venv-bench .venv-fuzz .venv-mutants .venv-audit .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
