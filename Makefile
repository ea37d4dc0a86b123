# Every target sets up what it needs: a fresh clone is enough. PYTHON picks the interpreter.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

NATIVE := charrnn/native
CPP := $(wildcard $(NATIVE)/*/*.h $(NATIVE)/*/*.cpp)
SANITIZED := build/native-sanitized
EMULATED := build/native-emulated

.PHONY: test test-slow demo bench lint types format generate record native-sanitize native-emulate-amx torture \
  fuzz-files fuzz-loader clean

# Each worker of the tests keeps to one CPU: see tests/conftest.py.
test: lint types
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

test-slow: $(READY)
	$(BIN)/python -m pytest -m slow

demo: $(READY)
	$(BIN)/charrnn train stdlib --budget 60s --name demo --replace
	$(BIN)/charrnn sample demo --temp 0.6 --length 800 --prime "def "

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(CPP)

types: $(READY)
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CPP)

# The picture of a terminal that the README shows, in three minutes.
record: $(READY)
	$(BIN)/python -m pip install --quiet pyte
	$(BIN)/python docs/record.py

# What is made from the option declarations: the keywords of the Python API, and docs/options.md.
generate: $(READY)
	$(BIN)/python docs/generate.py

# torch is installed first and by itself, so that the pinned version decides which build is taken.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

# What the documents quote, in a quarter of an hour; SIZE=short takes about two minutes.
SIZE ?= full
bench: $(READY)
	$(BIN)/python -m benchmarks.bench_training --size $(SIZE)
	$(BIN)/python -m benchmarks.bench_sharing --size $(SIZE)
	$(BIN)/python -m benchmarks.bench_sampling --size $(SIZE)
	$(BIN)/python -m benchmarks.bench_corpus --size $(SIZE)

# The C++ under the address and the undefined-behaviour sanitizer on odd shapes, the AMX kernels on
# emulated tiles among them. Needs a C++ compiler and cmake.
native-sanitize:
	cmake -S $(NATIVE) -B $(SANITIZED) -DCHARRNN_EXERCISE=ON -DCHARRNN_EMULATE_AMX=ON
	cmake --build $(SANITIZED) --parallel 2
	$(SANITIZED)/exercise

# The native engine's tests once more, in an environment of their own whose AMX kernels run on emulated
# tiles.
native-emulate-amx:
	$(PYTHON) -m venv $(EMULATED)
	$(EMULATED)/bin/python -m pip install --quiet --constraint constraints.txt torch
	$(EMULATED)/bin/python -m pip install --quiet --constraint constraints.txt \
	  --config-settings cmake.define.CHARRNN_EMULATE_AMX=ON --config-settings build-dir=$(EMULATED)/cmake '.[dev]'
	cp -r tests pyproject.toml $(EMULATED)
	cd $(EMULATED) && bin/python -m pytest tests/test_native.py

# Two hundred times kill -9 at random moments, each run resumed to its end: not a bit may differ.
torture: $(READY)
	$(BIN)/python -m tests.torture --kills 200

# Twenty thousand files that are not in order, and a coverage-guided fuzzer on their readers.
fuzz-files: $(READY)
	$(BIN)/python -m tests.fuzz_files --files 20000

fuzz-loader: $(READY)
	$(BIN)/python -m pip install --quiet atheris
	$(BIN)/python -m tests.fuzz_loader -max_total_time=120

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
