# Every target sets up what it needs: a fresh clone is enough. PYTHON picks the interpreter.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

NATIVE := charrnn/engines/native
SANITIZED := build/native-sanitized
EMULATED := build/native-emulated

.PHONY: test test-slow demo bench lint types format native-sanitize native-emulate-amx clean

test: lint types
	$(BIN)/python -m pytest

test-slow: $(READY)
	$(BIN)/python -m pytest -m slow

demo: $(READY)
	$(BIN)/charrnn train stdlib --budget 60s --name demo --replace
	$(BIN)/charrnn sample demo --temp 0.6 --length 800 --prime "def "

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# torch is installed first and by itself, so that the pinned version decides which build is taken.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

bench: $(READY)
	$(BIN)/python benchmarks/bench_training.py
	$(BIN)/python benchmarks/bench_sharing.py

# The C++ under the address and the undefined-behaviour sanitizer on odd shapes, the AMX kernels on
# emulated tiles among them. Needs a C++ compiler and cmake.
native-sanitize:
	cmake -S $(NATIVE) -B $(SANITIZED) -DCHARRNN_EXERCISE=ON -DCHARRNN_EMULATE_AMX=ON
	cmake --build $(SANITIZED) --parallel 2
	$(SANITIZED)/exercise

# The native engine's tests once more, with the AMX kernels on emulated tiles.
native-emulate-amx: $(READY)
	$(BIN)/python -m pip install --quiet nanobind
	cmake -S $(NATIVE) -B $(EMULATED)/build -DCHARRNN_EMULATE_AMX=ON \
	  -DPython_EXECUTABLE=$(abspath $(BIN)/python) \
	  -Dnanobind_DIR=$$($(BIN)/python -m nanobind --cmake_dir)
	cmake --build $(EMULATED)/build --parallel 2
	rm -rf $(EMULATED)/tree && mkdir -p $(EMULATED)/tree
	cp -r charrnn tests pyproject.toml $(EMULATED)/tree
	cp $(EMULATED)/build/_native*.so $(EMULATED)/tree/charrnn/engines
	cd $(EMULATED)/tree && PYTHONPATH=. $(abspath $(BIN))/python -m pytest tests/test_native.py

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
