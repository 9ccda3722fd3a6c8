# roadwire: `make run` reads the sample articles, `make test` checks everything. Both install what they need into
# .venv first; all they ask of the machine is Python 3.11, 3.12 or 3.13 and make.

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name) >/dev/null 2>&1 && $(name) -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $(name))))
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test fast lint install dictionary lock floors clean

run: install
	$(BIN)/roadwire run corpora/samples --out tables
	@$(BIN)/python -c "import pandas as pd; pd.set_option('display.width', 200, 'display.max_columns', 20); \
	deals = pd.read_parquet('tables/deals'); \
	deals['parties'] = [', '.join(p['company_name'] for p in parties) for parties in deals.parties]; \
	deals['locations'] = [', '.join(p['name'] for p in places) for places in deals.locations]; \
	print(deals[['deal_type', 'status', 'parties', 'locations', 'level_max', 'amount', 'currency', 'confidence']].head(12).to_string(index=False))"

test: lint
	$(BIN)/python -m pytest

fast: install
	$(BIN)/python -m pytest -m "not slow"

lint: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

install: $(VENV)/installed

# The lock names every package with its version; the project itself comes last, without looking for more.
$(VENV)/installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "roadwire needs Python 3.11, 3.12 or 3.13 on the PATH (or: make PYTHON=/path/to/python)" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# docs/data-dictionary.md is written from the schemas; a test compares the two.
dictionary: install
	$(BIN)/roadwire dictionary > docs/data-dictionary.md

# Renew the lock after a change of pyproject.toml; uv resolves for all supported versions of Python at once.
lock: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header --quiet --output-file requirements.lock

# Keep what is reached: on our own test part, and on the real articles where they stand beside the repository.
PIN := --pin
DEV := ../shared/data/dev
floors: install
	@$(BIN)/roadwire evaluate corpora/gold/test.jsonl $(PIN); status=$$?; \
	if [ -e $(DEV)/gold.jsonl ]; then $(BIN)/roadwire evaluate $(DEV)/gold.jsonl --texts $(DEV)/texts $(PIN) || status=$$?; fi; \
	exit $$status

clean:
	rm -rf $(VENV) tables build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
