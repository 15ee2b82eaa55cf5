# Each target sets up .venv by itself; uv is used where it is on the path, plain venv and pip otherwise.
PYTHON ?= python3
BIN := .venv/bin
OUT ?= out
UV := $(shell command -v uv 2>/dev/null)
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test verify lint bench figures clean

demo: .venv/installed
	mkdir -p $(OUT)
	$(BIN)/autophagy verify --quick -o $(OUT)/verification.html
	$(BIN)/autophagy figures --collect -o $(OUT)

test: .venv/developer
	$(BIN)/python -m pytest -n 2 --dist loadfile

verify: .venv/developer
	mkdir -p $(OUT)
	$(BIN)/python -m pytest -m slow
	$(BIN)/autophagy verify -o $(OUT)/verification.html

lint: .venv/developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: .venv/developer
	$(BIN)/python benchmarks/run.py

figures: .venv/installed
	$(BIN)/autophagy figures -o $(OUT)

.venv/installed: pyproject.toml
ifdef UV
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	$(UV) pip install --quiet --python $(BIN)/python --compile-bytecode -e .
else
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e .
endif
	touch $@

.venv/developer: .venv/installed
ifdef UV
	$(UV) pip install --quiet --python $(BIN)/python --compile-bytecode -e . --group dev
else
	$(BIN)/python -m pip install --quiet -e . --group dev
endif
	touch $@

clean:
	rm -rf .venv $(OUT)
