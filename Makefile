# Two commands for a stranger: `make demo` and `make test`. The rest is for those who change the code.
PY := .venv/bin/python
STAMP := .venv/.installed

.PHONY: demo test lint types bench docs clean

demo: $(STAMP)
	$(PY) -m regraft demo --out demo

test: $(STAMP)
	$(PY) -m pytest

lint: $(STAMP)
	.venv/bin/ruff check src tests bench
	.venv/bin/ruff format --check src tests bench
	.venv/bin/lint-imports

types: $(STAMP)
	.venv/bin/mypy

bench: $(STAMP)
	for script in bench/bench_*.py; do $(PY) $$script || exit 1; done

docs: $(STAMP)
	$(PY) -m regraft.cli.reference docs

$(STAMP): pyproject.toml constraints.txt
	test -d .venv || python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[lm,dev]"
	touch $(STAMP)

clean:
	rm -rf .venv demo runs build dist src/*.egg-info
