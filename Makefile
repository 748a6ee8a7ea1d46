# Two commands on a fresh machine: make demo, make test. Both make the virtual environment first.
SHELL := /bin/bash
PYTHON ?= python3
PY := .venv/bin/python

.PHONY: demo test serve lint lock format clean

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

format: .venv/.installed
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

lock: .venv/.installed    ## resolve requirements*.in again
	$(PY) -m pip install --quiet uv==0.13.9
	for name in requirements requirements-dev requirements-bench; do \
		$(PY) -m uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate \
			--custom-compile-command 'make lock' $$name.in -o $$name.txt || exit 1; done


clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
