# Two commands on a fresh machine with Python 3.11+ (venv, headers), a C compiler and make:
#   make demo   one trading day as real processes, settled and reconciled
#   make test   the whole test suite

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml setup.py $(wildcard src/cea_exchange/*.pyx src/cea_exchange/*.pxd)

.PHONY: demo test checked build clean

demo: build
	$(BIN)/cea-exchange demo

test: build
	$(BIN)/python -m pytest -q

# The core's tests against a build with bounds checks and trapping undefined behaviour, from a copy
# of the sources, so that the ordinary build stays what it is.
CHECKED := build/checked
checked: build
	rm -rf $(CHECKED)
	mkdir -p $(CHECKED)/source
	cp -r pyproject.toml setup.py README.md LICENSE src $(CHECKED)/source
	find $(CHECKED)/source \( -name '*.so' -o -name '*.c' -o -name '*.egg-info' \) -prune -exec rm -rf {} +
	CEA_EXCHANGE_CHECKED=1 $(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--no-deps --target $(CHECKED)/site $(CHECKED)/source
	PYTHONPATH=$(CHECKED)/site $(BIN)/python -m pytest -q -o pythonpath=tests \
		tests/differential tests/property tests/unit/test_order_book.py tests/unit/test_script_random.py

build: $(VENV)/.installed

# Rebuilt when the compiled sources or the package description change, and only then.
$(VENV)/.installed: $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV) build dist src/*.egg-info
	find src -name '*.so' -delete -o -name '*.c' -delete
