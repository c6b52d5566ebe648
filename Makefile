# Two commands on a fresh machine with Python 3.11+ (venv, headers), a C compiler and make:
#   make demo   one trading day as real processes, settled and reconciled
#   make test   the whole test suite

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml setup.py $(wildcard src/cea_exchange/*.pyx src/cea_exchange/*.pxd)

.PHONY: demo test build clean

demo: build
	$(BIN)/cea-exchange demo

test: build
	$(BIN)/python -m pytest -q

build: $(VENV)/.installed

# Rebuilt when the compiled sources or the package description change, and only then.
$(VENV)/.installed: $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV) build dist src/*.egg-info
	find src -name '*.so' -delete -o -name '*.c' -delete
