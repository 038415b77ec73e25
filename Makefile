# Each target makes the virtual environment where there is none, or where what it is made of changed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

DOCS_STAMP := $(VENV)/.installed-docs
# What is run with the oldest versions: a network, fit, files, pictures, and every call of the
# searches and the classical denoisers that their docstrings show.
MINIMUM_TESTS := tests/test_vanilla_nl.py tests/test_fitting.py tests/test_fitting_compiled.py \
	tests/test_persistence.py tests/test_persistence_hostile.py tests/test_plotting.py \
	--pyargs sk_dcedenoise.search sk_dcedenoise.baselines

.PHONY: help demo test lint format docs wheel-test test-minimum

help:
	@echo "make demo    train a denoiser, print a table, write demo_output/ (about two minutes)"
	@echo "make test    run all tests"
	@echo "make lint    check code style"
	@echo "make format  mend code style"
	@echo "make docs    build the documentation, examples included: docs/_build/html/index.html"
	@echo "make wheel-test    all tests on a wheel, in an environment outside of the tree"
	@echo "make test-minimum  the same on a part of the tests, with the oldest versions"
	@echo "Another interpreter than python3: make test PYTHON=python3.12"

demo: $(STAMP)
	$(BIN)/python -m sk_dcedenoise demo

test: $(STAMP)
	$(BIN)/python -m pytest -q -rsxX -n auto --dist loadfile

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(DOCS_STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

wheel-test:
	PYTHON=$(PYTHON) .ci/wheel-test constraints.txt

test-minimum:
	PYTHON=$(PYTHON) .ci/wheel-test constraints-minimum.txt $(MINIMUM_TESTS)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("$(PYTHON) is Python " + \
	sys.version.split()[0] + ", but expected 3.11 or newer: make demo PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	--no-compile -c constraints.txt -e '.[plots,nifti,compiled,scale,tests]'
	@touch $(STAMP)

$(DOCS_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	--no-compile -c constraints.txt -e '.[docs,plots]'
	@touch $(DOCS_STAMP)
