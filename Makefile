# Short names for what can all be done by hand; README.md has the lines for systems without make.
#   TORCH_INDEX=URL   another package index for torch, for a build of your choice (CPU, or a CUDA version)
TORCH_INDEX =
export TORCH_INDEX

BIN = .venv/bin
# tests run in as many processes as there are processors; 0 is none beside pytest's own
TEST_PROCESSES = logical
# models are read from folders only, never fetched behind anybody's back; one thread, as two lose against other work
OFFLINE = HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1

.PHONY: help setup setup-server demo test test-slow lint addon bench schemas gpu-bundle clean

help:
	@echo "make demo       set up, then paint a mesh from a prompt through real Blender: demo/painted.png"
	@echo "make test       set up, then the tests"
	@echo "make test-slow  the tests that take minutes"
	@echo "make lint       format, lint and types"
	@echo "make addon      dist/: the extension as a zip for Blender"
	@echo "make bench      timed runs; benchmarks/results/, docs/benchmarks.md and its plots"
	@echo "make schemas    the extension's parameter file, written from the server's methods"
	@echo "make gpu-bundle what a machine with a GPU and no network needs for the benchmark, in .gpu/"
	@echo "make clean      remove what was made, the virtual environments excepted"

setup:
	@.ci/set_up server every-blender
	@echo "Ready: $(BIN)/maquette"

setup-server:
	@.ci/set_up server

demo:
	@.ci/set_up server newest-blender
	@$(BIN)/python build_addon.py
	@$(OFFLINE) "$$(ls -d .venv-blender/5.* | tail -n 1)/bin/python" docs/demo.py

test: setup
	@$(OFFLINE) $(BIN)/python -m pytest -q -m "not slow" -n $(TEST_PROCESSES) --dist worksteal

test-slow: setup
	@$(OFFLINE) $(BIN)/python -m pytest -q -m slow

lint: setup-server
	@$(BIN)/ruff format --check --output-format concise .
	@$(BIN)/ruff check --output-format concise .
	@$(BIN)/mypy

addon: setup-server
	@$(BIN)/python build_addon.py

bench: setup-server
	@$(OFFLINE) $(BIN)/python -m benchmarks

schemas: setup-server
	@$(BIN)/python -m maquette_server.methods.schemas

gpu-bundle: setup-server
	@.ci/gpu_bundle

clean:
	@rm -rf build dist demo .gpu .stamps .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +
