# Two commands on a fresh machine: make demo, make test. Both make the virtual environment first.
SHELL := /bin/bash
PYTHON ?= python3
PY := .venv/bin/python

SEEDS ?= 100000
MINUTES ?= 20

.PHONY: demo test serve lint lock format clean simulate bench faults fuzz soak

.venv/.installed: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, not %s; name one with make PYTHON=…" % sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

demo: .venv/.installed    ## sandbox and service up, one data action through them, both down again
	@$(PY) examples/demo.py

serve: .venv/.installed   ## sandbox and service stay up, for curl and Postman
	@$(PY) examples/demo.py --serve

test: .venv/.installed    ## everything, over real sockets
	$(PY) -m pytest

lint: .venv/.installed
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

simulate: .venv/.installed    ## exactly once, over so many seeds; a failing one is replayed with --seed N
	$(PY) -m tests.simulation --seeds $(SEEDS) --workers 2

faults: .venv/.installed      ## every upstream call x every way it can fail
	$(PY) -m hostile.faults

fuzz: .venv/.installed        ## 100,000 inputs that mean no good
	$(PY) -m hostile.fuzz

soak: .venv/.installed        ## all senders, faults and restarts for so many minutes, accounted for row by row
	$(PY) -m hostile.soak --minutes $(MINUTES)

.venv-bench/.installed: requirements-bench.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.txt
	@touch $@

bench: .venv-bench/.installed ## beside what people would use instead; about seven minutes
	.venv-bench/bin/python benchmarks/bench.py

format: .venv/.installed
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

lock: .venv/.installed    ## resolve requirements*.in again
	$(PY) -m pip install --quiet uv==0.13.9
	for name in requirements requirements-dev requirements-bench; do \
		$(PY) -m uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate \
			--custom-compile-command 'make lock' $$name.in -o $$name.txt || exit 1; done


clean:
	rm -rf .venv .venv-bench .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
