# make demo: the whole loop on this machine.   make test: everything to pass the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test test-arm64 serve bench lint docs check release lock clean

help:
	@echo "make demo    server, local agent, latency table, search, verification on this machine"
	@echo "make install all of it into $(VENV); demo and test do this first"
	@echo "make test    all tests"
	@echo "make test-arm64   an emulated ARM board behind NAT: install, enrol, measure, faults; root, Linux, half an hour"
	@echo "make lint    format, style, types, import contracts"
	@echo "make docs    the book in .book/site, its reference from the code, its links checked"
	@echo "make check   make lint, make docs, make test"
	@echo "make serve   the server alone, on http://127.0.0.1:8000, with the demo's data"
	@echo "make bench   the benchmarks behind the README's figures, on a quiet machine; minutes of each:"
	@echo "               latency_accuracy 5, profile_time 2, search_step 2, delivered 5, budget 7,"
	@echo "               page 2, changing_load 35, search_quality 40 (with DATA=folder of images, else skipped)"
	@echo "make release both distributions, checked as a stranger gets them, and their bill of materials, in dist"
	@echo "make lock    resolve constraints.txt anew"

install: $(INSTALLED)
	@echo "Now: source $(BIN)/activate"

demo: $(INSTALLED)
	@$(BIN)/python -m scripts.demo

# A file runs in one process: its fixtures are made once. Files are spread over the cores.
test: $(INSTALLED)
	@$(BIN)/pytest -m "not device" -n auto --dist loadfile

test-arm64: $(INSTALLED)
	@$(BIN)/python -m scripts.arm64

serve: $(INSTALLED)
	@$(BIN)/search-server serve --data .demo

bench: $(INSTALLED)
	@$(BIN)/python -m benchmarks.latency_accuracy
	@$(BIN)/python -m benchmarks.profile_time
	@$(BIN)/python -m benchmarks.search_step
	@$(BIN)/python -m benchmarks.delivered
	@$(BIN)/python -m benchmarks.budget
	@$(BIN)/python -m benchmarks.page
	@$(BIN)/python -m benchmarks.changing_load
ifdef DATA
	@$(BIN)/python -m benchmarks.search_quality --data "$(DATA)"
else
	@echo "search_quality is skipped: it needs images, make bench DATA=/path/to/cifar10"
endif

lint: $(INSTALLED)
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports > $(VENV)/import-contracts.log || { cat $(VENV)/import-contracts.log; exit 1; }

docs: $(INSTALLED)
	@$(BIN)/python -m scripts.book

check: lint docs test

$(INSTALLED): pyproject.toml deploy/agent/pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "edgenas needs Python 3.11 or newer, this is " + sys.version)'
	@echo "Installing into $(VENV) (2 GB; about two minutes the first time, more on a busy machine) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip uninstall -qq -y edgenas edgenas-agent  # older ones were one distribution
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt \
		-e ./deploy/agent -e '.[onnxruntime,server,search,dev]'
	@touch $@

# What builds and checks a release is in an environment of its own: nothing else needs it.
release: $(INSTALLED)
	@$(PYTHON) -m venv .venv-release
	@.venv-release/bin/python -m pip install -qq --disable-pip-version-check \
		build==1.6.1 twine==7.0.0 cyclonedx-bom==7.5.0
	@.venv-release/bin/python -m scripts.release

# torch is pinned by hand: a resolver would choose a build with CUDA and its gigabytes.
lock: $(INSTALLED)
	$(BIN)/python -m scripts.lock

clean:
	rm -rf $(VENV) .venv-optional .venv-release .demo .book dist .pytest_cache .mypy_cache .ruff_cache
