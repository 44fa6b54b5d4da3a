# Every target sets up first what it needs. Python 3.11 or newer and make are enough.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH_INDEX := $(if $(TORCH_INDEX_URL),--extra-index-url $(TORCH_INDEX_URL),)
STAMP := $(VENV)/.installed
# The fast tests wait a good deal, for processes and pages; the slow ones keep the cores busy.
WORKERS ?= 3
SLOW_WORKERS ?= 2
HALF ?= calibration

.PHONY: setup check lint types contracts test test-slow test-all demo serve screenshots examples finding-pictures bench-faults bench-faults-5m bench-prescriptions bench-peers bench-time-to-target bench-orchestration clean

setup: $(STAMP)

# The stamp is written last, so a set-up that was cut off is done again.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11")'
	[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH_INDEX) -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH_INDEX) -c constraints.txt -e '.[service,worker,dev]'
	touch $(STAMP)

check: lint types contracts

lint: setup
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

types: setup
	$(BIN)/python -m mypy

contracts: setup
	$(BIN)/python -P $(BIN)/lint-imports

test: check
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m 'not slow'

# The slow ones: kills, soaks and clusters, then those that keep a time, one after another.
test-slow: setup
	$(BIN)/python -m pytest -n $(SLOW_WORKERS) --dist loadgroup -m 'slow and not alone'
	$(BIN)/python -m pytest -m 'slow and alone'

test-all: test test-slow

demo: setup
	$(BIN)/sevenstep demo

serve: setup
	$(BIN)/sevenstep serve

# Pictures of the pages, of a study that runs for them: docs/images, build/screenshots.
screenshots: setup
	$(BIN)/python docs/make_screenshots.py

# What the OpenAPI document shows, asked of a study that runs for it.
examples: setup
	$(BIN)/python docs/make_examples.py

# A picture for each finding's page, and what is said of it, from real training: docs/findings.
# CODES="overfitting diverged" makes these alone.
finding-pictures: setup
	nice $(BIN)/python docs/make_finding_pictures.py $(CODES)

# The whole fault bench (hours; it goes on where it stopped), and its page in docs/.
bench-faults: setup
	nice $(BIN)/python -m benchmarks.faults report --half $(HALF) $(if $(REASON),--reason '$(REASON)') --write

# An even part of it, as CI runs it.
bench-faults-5m: setup
	nice $(BIN)/python -m benchmarks.faults run --half calibration --subset 5m

# Twelve sick studies, each treated by its first prescription (minutes), and their page in docs/.
bench-prescriptions: setup
	nice $(BIN)/python -m benchmarks.prescriptions report --write

# What the benchmarks against peers compare with, in an environment of its own.
PEERS := build/peers

bench-peers: $(PEERS)/.installed

$(PEERS)/.installed: benchmarks/peers-constraints.txt pyproject.toml
	[ -x $(PEERS)/bin/python ] || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check $(TORCH_INDEX) -c benchmarks/peers-constraints.txt torch
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check $(TORCH_INDEX) -c benchmarks/peers-constraints.txt mlflow optuna pillow 'ray[tune]' safetensors scikit-learn -e .
	touch $@

# A good answer, how soon (hours), and what trials cost beside their training (minutes):
# docs/benchmarks.md. SEVENSTEP_CIFAR10_DIR says where CIFAR-10's images are.
bench-time-to-target: setup bench-peers
	$(BIN)/python -m benchmarks.time_to_target --write

bench-orchestration: setup bench-peers
	$(BIN)/python -m benchmarks.orchestration --write

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
