# Two commands on a fresh machine with Python 3.11+ (venv, headers), a C compiler and make:
#   make demo   one trading day as real processes, settled and reconciled
#   make test   lint, types, import rules, then all that must hold
#   make check  the inner loop: lint, types, and the quick unit tests, in three minutes
# and for those who work on the core:
#   make bench        speed and memory beside the peers'; results verified first
#   make conformance  an order book written by somebody else as the judge
#   make long         a hundred thousand differential examples; counts of all that came
#   make docs         the documents as a site in both languages: build/site, without a network
#   make sanitize     the core's tests under address and undefined-behaviour sanitizers
#   make checked      the core's tests with bounds checks and trapped undefined behaviour
#   make mutants      does `make test` notice small mistakes in the core?
#   make mutants PACKAGES="ccer year" [COUNT=40] [SEED=n]  the same of pure-Python packages; PACKAGES=all
# and on the whole exchange:
#   make torture KILLS=200 [SEED=n]  everything killed and stopped at random, nothing lost
#   make settle TRADES=1000000 DATABASE=postgresql  a live venue's trades settled, killed meanwhile
#   make failover FAULTS=1000 [SEED=n] [MINUTES=n]  every node of a cluster killed, frozen, cut off, its disk full
#   make failover-ledger  its database's primary killed 50 times, the standby promoted each time
#   make year [DATABASE=postgresql]  a nation's filings to allowances at the registry, killed 50 times
#   make replay-days FILE=daily.csv  published days traded, settled, compared, and a plot of them
#   make planted [SCALE=1] [SEED=n]  errors and frauds planted into a nation's filings: found, missed, named in vain
#   make surveillance  precision and recall of the patterns of abuse, on seeds held out
#   make attacks ROUNDS=20  what was tried from outside, and must not work any more
#   make tests-busy [SEED=n]  tests of processes and sockets three times, beside busy loops, in random order
#   make soak HOURS=10  20 million commands over 20 days: do memory and open files stay flat?
#   make wheel        built of a source archive and tried, with every Python that is there
#   make nightly      what is above but for bench, docs, planted, surveillance and replay-days: some hours
# and for who deploys it (SECURITY.md):
#   make lock         lock files with hashes, made anew from the ranges in pyproject.toml
#   make sbom         what a deployment consists of, as CycloneDX: build/sbom
#   make audit        are advisories known against what is locked? ADVISORIES=osv asks another service

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml setup.py $(shell find src -name '*.pyx' -o -name '*.pxd')

.PHONY: demo test tests check lint types imports docs wheel long bench conformance checked sanitize mutants torture settle failover failover-ledger year soak replay-days
.PHONY: planted surveillance nightly random attacks tests-busy lock sbom audit build clean

# To watch a day instead: .venv/bin/pip install -e '.[screens]' && .venv/bin/cea-exchange demo --board
demo: build
	$(BIN)/cea-exchange demo

# Four at a time on two processors, as much of it is waiting; those of one file in their order,
# as some share an exchange; those with processes first (tests/conftest.py). What took longest is
# named, as all of it is to stay within 15 minutes.
TEST := $(BIN)/python -m pytest -q -n 4 --dist loadfile --no-loadscope-reorder
TEST += --durations 40 --durations-min 10
test: lint
	$(MAKE) --no-print-directory -j 3 types imports tests

tests: build
	$(TEST) -m "not nightly"

check: lint types imports
	$(TEST) -m "unit and not (slow or database or nightly)"

lint: build
	$(BIN)/ruff check

types: build
	$(BIN)/mypy

imports: build
	$(BIN)/lint-imports --no-cache

# Every warning is an error; what a page links to has to be there.
docs: build
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict --config-file docs/site/zh.yml

# What is too long for `make test`: the wheel, kills, workloads.
wheel: build
	$(BIN)/python -m pytest -q -m nightly tests/packaging

# Those tests that are about the compiled core.
CORE_TESTS := differential or property or core

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
	PYTHONPATH=$(CHECKED)/site $(BIN)/python -m pytest -q -o pythonpath=tests -m "$(CORE_TESTS)"

# The same tests under AddressSanitizer and UndefinedBehaviorSanitizer,
# which must be loaded before Python is. It keeps its own memory to the end: leaks are not reported.
SANITIZED := build/sanitized
SANITIZERS = $(shell $(CC) -print-file-name=libasan.so) $(shell $(CC) -print-file-name=libubsan.so)
sanitize: build
	rm -rf $(SANITIZED)
	mkdir -p $(SANITIZED)/source
	cp -r pyproject.toml setup.py README.md LICENSE src $(SANITIZED)/source
	find $(SANITIZED)/source \( -name '*.so' -o -name '*.c' -o -name '*.egg-info' \) -prune -exec rm -rf {} +
	CEA_EXCHANGE_SANITIZED=1 $(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--no-deps --target $(SANITIZED)/site $(SANITIZED)/source
	LD_PRELOAD="$(SANITIZERS)" ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc \
		PYTHONPATH=$(SANITIZED)/site $(BIN)/python -m pytest -q -o pythonpath=tests -m "$(CORE_TESTS)"

# A hundred thousand Hypothesis examples on both cores: ten minutes on two processors.
long: build
	PYTHONPATH=tests $(BIN)/python -m tests.long

# Peers live in an interpreter of their own, whichever install; they are no dependencies.
PEERS := build/bench/peers
bench: build $(VENV)/.bench-installed $(PEERS)/.installed
	$(BIN)/python -m bench
	$(BIN)/python -m pytest -q bench/books/test_micro.py

$(VENV)/.bench-installed: pyproject.toml | build
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	touch $@

$(PEERS)/.installed: bench/peers/peers.txt
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check numpy
	while read -r peer; do \
		$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check "$$peer" \
			|| echo "$$peer does not install"; \
	done < bench/peers/peers.txt
	touch $@

conformance: build $(VENV)/.conformance-installed
	$(BIN)/python tests/conformance/judge.py

$(VENV)/.conformance-installed: pyproject.toml | build
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[conformance]'
	touch $@

# Of the compiled core, or of the packages that are named: tests/mutation/README.md.
mutants: build
ifdef PACKAGES
	$(BIN)/python tests/mutation/packages.py $(filter-out all,$(PACKAGES)) --count $(or $(COUNT),40) \
		$(if $(SEED),--seed $(SEED)) $(if $(JSON),--json $(JSON))
else
	$(BIN)/python tests/mutation/run.py $(if $(SEED),--seed $(SEED)) $(if $(JSON),--json $(JSON))
endif

# Venue, registry and participants killed and stopped at random over days, then the CCER market's
# exchange and registry, then platform and registry over a small year: tests/torture/README.md.
KILLS ?= 200
torture: build
	PYTHONPATH=tests $(BIN)/python -m torture --kills $(KILLS) $(if $(SEED),--seed $(SEED))
	PYTHONPATH=tests $(BIN)/python -m torture.ccer_market --kills $(KILLS) $(if $(SEED),--seed $(SEED))
	PYTHONPATH=tests:. $(BIN)/python -m torture.compliance_year --kills 30 --scale 40 \
		$(if $(SEED),--seed $(SEED))

# Faults of every kind at every node of a cluster that trades, and the fence: tests/failover/README.md.
# With TLS=1 the log's nodes have certificates; with MINUTES=N no fault begins after so many.
FAULTS ?= 1000
failover: build
	PYTHONPATH=tests $(BIN)/python -m failover.fence.stub_run --faults 30 $(if $(SEED),--seed $(SEED))
	PYTHONPATH=tests $(BIN)/python -m failover.fence.stub_run --faults 8 --unfenced \
		$(if $(SEED),--seed $(SEED))
	PYTHONPATH=tests $(BIN)/python -m failover.fence.control_run $(if $(SEED),--seed $(SEED))
	PYTHONPATH=tests $(BIN)/python -m failover.fence.control_run --unfenced $(if $(SEED),--seed $(SEED))
	PYTHONPATH=tests $(BIN)/python -m failover --faults $(FAULTS) $(if $(SEED),--seed $(SEED)) \
		$(if $(TLS),--tls) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(JSON),--json $(JSON))

# A million trades settled while venue, registry and database server are killed.
TRADES ?= 1000000
DATABASE ?= sqlite
settle: build
	PYTHONPATH=tests $(BIN)/python -m torture.settlement --trades $(TRADES) --kills 50 \
		--database $(DATABASE) $(if $(SEED),--seed $(SEED))

# The ledger's primary killed 50 times under a live venue's settlement: contrib/failover.md.
failover-ledger: build
	PYTHONPATH=tests $(BIN)/python -m torture.settlement --trades 200000 --kills 50 \
		--database failover $(if $(SEED),--seed $(SEED))

# A year of 3,378 enterprises from monthly files to allowances and obligations, both sides killed.
SCALE ?= 1
year: build
	PYTHONPATH=tests:. $(BIN)/python -m torture.compliance_year --kills 50 --scale $(SCALE) \
		--database $(DATABASE) $(if $(SEED),--seed $(SEED))

# Ten hours' worth of commands, or COMMANDS of them, and what they leave in memory: tests/soak/README.md.
HOURS ?= 10
soak: build
	PYTHONPATH=tests:. $(BIN)/python -m soak $(if $(SEED),--seed $(SEED)) \
		$(if $(COMMANDS),--commands $(COMMANDS),--hours $(HOURS))

# Errors and frauds planted into a nation's filings, found and named in vain by kind: bench/README.md.
planted: build
	$(BIN)/python -m bench.filings --scale $(or $(SCALE),1) --seed $(or $(SEED),1)

# What was planted in a labelled corpus, and how much of it is found: protocol/supervision.md.
surveillance: build
	$(BIN)/python -m bench.surveillance
	$(BIN)/python -m bench.surveillance.accuracy

# What is drawn at random, many times as long as in `make test`; and what is too long for it.
ROUNDS ?= 20
random: build
	CEA_TEST_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest -q -m "random and not attack"
	$(BIN)/python -m pytest -q -m nightly

# What was tried from outside and must not work any more, many times as large: tests/README.md.
attacks: build
	CEA_TEST_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest -q -m attack

# Tests that depend on luck fail beside other work: the tests of processes and sockets, three times.
tests-busy: build
	PYTHONPATH=tests $(BIN)/python -m busy $(if $(SEED),--seed $(SEED))

nightly: random attacks tests-busy conformance checked sanitize long torture failover soak mutants
	$(MAKE) mutants PACKAGES=all
	$(MAKE) settle DATABASE=sqlite
	$(MAKE) settle DATABASE=postgresql
	$(MAKE) failover-ledger
	$(MAKE) year DATABASE=sqlite
	$(MAKE) year DATABASE=postgresql

# The real market day by day: protocol/daily_replay.md. The file is not part of the package.
FILE ?= ../shared/data/cea/cea_daily_2021_2024.csv
replay-days: build $(VENV)/.plots-installed
	$(BIN)/cea-exchange replay-days $(FILE) --out build/replay-days

$(VENV)/.plots-installed: pyproject.toml | build
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[plots]'
	touch $@

# For the oldest Python that is supported; hashes are those of all files of a release.
LOCKS := contrib/lock
SECURITY_TOOLS ?= build/security-tools
LOCK = $(SECURITY_TOOLS)/bin/uv pip compile --quiet --upgrade --generate-hashes \
	--python-version 3.11 --python-platform linux --custom-compile-command "make lock"
lock: $(SECURITY_TOOLS)/.installed
	$(LOCK) pyproject.toml --output-file $(LOCKS)/daemons.txt
	$(LOCK) pyproject.toml --extra arrow --extra cluster --extra evidence --extra postgres --extra screens \
		--extra xlsx --output-file $(LOCKS)/extras.txt
	$(LOCK) $(LOCKS)/tools.in --output-file $(LOCKS)/tools.txt

# The tool warns that a lock file doesn't say who needs whom.
SBOM := build/sbom
sbom: $(SECURITY_TOOLS)/.installed
	mkdir -p $(SBOM)
	for lock in daemons extras; do \
		$(SECURITY_TOOLS)/bin/python -W ignore -m cyclonedx_py requirements $(LOCKS)/$$lock.txt \
			--pyproject pyproject.toml --output-reproducible --of JSON \
			--output-file $(SBOM)/$$lock.cdx.json || exit 1; \
	done

# All of the daemons' is in extras.
ADVISORIES ?= pypi
audit: $(SECURITY_TOOLS)/.installed
	ADVISORIES=$(ADVISORIES) $(SECURITY_TOOLS)/bin/python $(LOCKS)/audit.py \
		$(LOCKS)/extras.txt $(LOCKS)/tools.txt

$(SECURITY_TOOLS)/.installed: $(LOCKS)/tools.txt
	test -x $(SECURITY_TOOLS)/bin/python || $(PYTHON) -m venv $(SECURITY_TOOLS)
	$(SECURITY_TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes --requirement $(LOCKS)/tools.txt
	touch $@

build: $(VENV)/.installed

# Rebuilt when the compiled sources or the package description change, and only then.
$(VENV)/.installed: $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV) build dist src/*.egg-info
	find src -name '*.so' -delete -o -name '*.c' -delete
