# The working copy's tasks. `make help` lists them.
# Needs Python 3.11 or later with venv, make and a C++20 compiler; everything else is installed into .venv.

PYTHON   ?= python3
JOBS     ?= auto
FRACTION ?= 1
ISAS     ?=
ARGS     ?=

VENV   := .venv
BIN    := $(VENV)/bin
STAMPS := $(VENV)/stamps
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest
ENGINE := $(shell find engine -name '*.h' -o -name '*.cpp' 2>/dev/null)
SOURCES := pyproject.toml CMakeLists.txt README.md $(shell find engine src -type f ! -name '*.py[co]' 2>/dev/null)

# A group of pyproject.toml's [dependency-groups], installed once.
group = $(STAMPS)/$(1)

.DEFAULT_GOAL := help
.PHONY: help install demo quick test oracles prove emulate lint types format sanitize bench clean
.DELETE_ON_ERROR:

help:  ## list the tasks
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: $(STAMPS)/elman  ## make .venv and install elman into it (again only when the sources changed)

demo: install  ## run every demo; pictures go to elman-demo/
	@$(BIN)/elman demo all $(ARGS)

quick: install $(call group,test)  ## some tests of every area, in under 20 seconds (tests/quick.txt lists them)
	$(PYTEST) @tests/quick.txt $(ARGS)

test: install $(call group,test)  ## run the tests and the examples in the docstrings
	$(PYTEST) -n $(JOBS) --doctest-modules --pyargs ./tests elman $(ARGS)

oracles: install $(call group,test) $(call group,oracles)  ## compare with PyTorch and ONNX Runtime, live
	$(PYTEST) -n $(JOBS) -m oracle tests $(ARGS)

prove: install $(call group,test)  ## run the long proofs; FRACTION=10 runs a seeded tenth of them
	ELMAN_PROVE_FRACTION=$(FRACTION) $(PYTEST) -n $(JOBS) -m prove tests $(ARGS)

emulate: install $(call group,test)  ## the choice of kernels, and results, on older and Arm processors
	@missing=; for program in qemu-x86_64 qemu-aarch64 aarch64-linux-gnu-g++; do \
	    command -v $$program > /dev/null || missing="$$missing $$program"; \
	done; \
	if [ -n "$$missing" ]; then \
	    echo "make emulate did not find:$$missing. On Debian:"; \
	    echo "apt-get update && apt-get install qemu-user g++-aarch64-linux-gnu libc6-dev-arm64-cross"; exit 1; \
	fi
	$(PYTEST) -n 0 -s -v -m prove tests/engine/test_emulation.py $(ARGS)

lint: $(call group,lint)  ## ruff (style, format), and clang-format for the engine
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(ENGINE)

types: install $(call group,lint)  ## mypy, strict
	$(BIN)/mypy

format: $(call group,lint)  ## let ruff and clang-format set the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(ENGINE)

# Each preset builds the engine and one small program over it, without Python, both at once. Address space layout
# randomization is off for the run: the thread sanitizer of older compilers stumbles over it. ISAS names the instruction
# sets, all by default.
sanitize: $(call group,build)  ## the engine's smoke program under the address, undefined-behavior and thread sanitizers
	@export PATH="$(CURDIR)/$(BIN):$$PATH"; mkdir -p build; \
	fixed=; if setarch "$$(uname -m)" -R true 2>/dev/null; then fixed="setarch $$(uname -m) -R"; fi; \
	one() { set -e; \
	    cmake --preset $$1 -DELMAN_ISAS="$(ISAS)" --log-level=WARNING; \
	    cmake --build build/$$1 --target engine_smoke; \
	    for isa in $$(build/$$1/engine_smoke --isas); do ELMAN_ISA=$$isa $$fixed build/$$1/engine_smoke; done; }; \
	(one asan) > build/asan.log 2>&1 & asan=$$!; \
	(one tsan) > build/tsan.log 2>&1 & tsan=$$!; \
	for run in asan:$$asan tsan:$$tsan; do \
	    if wait $${run#*:}; then echo "$${run%:*}:"; grep 'checks passed' build/$${run%:*}.log; \
	    else tail -n 100 build/$${run%:*}.log; echo "$${run%:*} failed: build/$${run%:*}.log"; exit 1; fi; \
	done

bench: install $(call group,bench)  ## measure against PyTorch, JAX, NumPy and ONNX Runtime (about an hour)
	$(BIN)/python -m benchmarks.train $(ARGS)
	$(BIN)/python -m benchmarks.train --threads 1 $(ARGS)
	$(BIN)/python -m benchmarks.train --dtype float64 $(ARGS)
	$(BIN)/python -m benchmarks.train --dtype float64 --threads 1 $(ARGS)
	$(BIN)/python -m benchmarks.inference $(ARGS)
	$(BIN)/python -m benchmarks.stream
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.denormals
	$(BIN)/python -m benchmarks.imports
	$(BIN)/python -m benchmarks.report

clean:  ## remove .venv and everything that was built
	rm -rf $(VENV) build dist elman-demo .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- how .venv is made -------------------------------------------------------------------------------------

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.version_info < (3, 11) and sys.exit("elman needs Python 3.11 or later; choose one: make PYTHON=python3.12 demo")'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade pip
	@mkdir -p $(STAMPS) && touch $@

# Built with the tools of .venv rather than in a throw-away environment, so that a second build is short.
$(STAMPS)/elman: $(SOURCES) $(call group,build)
	@echo "elman: building the engine and installing (a minute or two the first time)"
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(PIP) install --no-build-isolation ".[cli,plot]"
	@touch $@

$(STAMPS)/%: $(STAMPS)/venv pyproject.toml
	@echo "elman: installing what '$*' needs"
	@$(PIP) install --group $*
	@touch $@
