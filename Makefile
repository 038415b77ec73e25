# Each target makes the virtual environment where there is none, or where what it is made of changed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help demo test lint format

help:
	@echo "make demo    train a denoiser, print a table, write demo_output/ (about two minutes)"
	@echo "make test    run all tests"
	@echo "make lint    check code style"
	@echo "make format  mend code style"
	@echo "Another interpreter than python3: make test PYTHON=python3.12"

demo: $(STAMP)
	$(BIN)/python -m sk_dcedenoise demo

test: $(STAMP)
	$(BIN)/python -m pytest -q -rsxX

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("$(PYTHON) is Python " + \
	sys.version.split()[0] + ", but expected 3.11 or newer: make demo PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	--no-compile -c constraints.txt -e '.[plots,nifti,compiled,scale,tests]'
	@touch $(STAMP)
