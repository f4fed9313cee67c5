# Every target makes its own environment in .venv first; nothing needs root, a compiler or a GPU.
#   make demo             the whole method in miniature on built-in data; PHOTO=path adds a photo
#   make reproduce-mini   all rows of the poster's Table 1 and the curve over the datasets, in miniature
#   make test             all tests but the slow ones;  make test-slow  the slow ones
#   make poster-table     results of metrabs.evaluation below RESULTS=folder beside the poster's
#   make test-newest-tf   whether exports work in the newest TensorFlow, in .venv-newest-tf
#   make lint             format, style, types, and that nothing needs a Python newer than 3.9
#   make format           formats the code
#   make docs             the documentation as a site, in site/ (needs Python 3.10 or newer)
#   make venv             the environment alone
PYTHON ?= $(shell for p in python3.11 python3.10 python3.9 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 9) <= sys.version_info[:2] <= (3, 11))' 2>/dev/null \
	&& echo $$p && break; done)
VENV ?= .venv
NEWEST_TF_VENV ?= .venv-newest-tf
RUN = $(VENV)/bin/python
OUTPUT ?= demo_output
PHOTO ?=
RESULTS ?= .

.PHONY: demo reproduce-mini test test-slow test-newest-tf poster-table lint format docs venv clean
.DELETE_ON_ERROR:

demo: $(VENV)/installed-demo
	$(RUN) reproduce.py --flagfile=flags/mini/demo.flags --output=$(OUTPUT) $(if $(PHOTO),--photo="$(PHOTO)")

reproduce-mini: $(VENV)/installed-demo
	$(RUN) reproduce.py --flagfile=flags/mini/poster.flags --output=$(OUTPUT)

test: $(VENV)/installed-test
	$(RUN) -m pytest -n 2 -m "not slow" $(PYTEST_ARGS)

test-slow: $(VENV)/installed-test
	$(RUN) -m pytest -n 2 -m slow $(PYTEST_ARGS)

test-newest-tf: $(VENV)/installed-test $(NEWEST_TF_VENV)/installed
	NEWEST_TF_PYTHON=$(abspath $(NEWEST_TF_VENV)/bin/python) \
	$(RUN) -m pytest tests/estimator/test_newest_tensorflow.py $(PYTEST_ARGS)

poster-table: $(VENV)/installed-demo
	$(RUN) -m metrabs.evaluation poster-table --results=$(RESULTS)

lint: $(VENV)/installed-lint
	$(RUN) -m ruff format --check --quiet .
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	$(VENV)/bin/vermin --quiet --no-tips --violations --target=3.9- \
	benchmarks ckpt_tools data_preparation docs metrabs tests main.py reproduce.py setup.py

format: $(VENV)/installed-lint
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

docs: $(VENV)/installed-docs
	DISABLE_MKDOCS_2_WARNING=true $(RUN) -m mkdocs build --quiet --strict

venv: $(VENV)/installed-demo

$(VENV)/installed-demo: setup.py pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.9, 3.10 or 3.11 found; TensorFlow 2.15 has no \
	wheels for others. Install one, or name it: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check -e ".[demo]"
	touch $@

$(VENV)/installed-test: $(VENV)/installed-demo
	$(RUN) -m pip install --quiet --disable-pip-version-check -e ".[demo,test]"
	touch $@

$(VENV)/installed-lint: $(VENV)/installed-demo
	$(RUN) -m pip install --quiet --disable-pip-version-check -e ".[demo,test,lint]"
	touch $@

$(VENV)/installed-docs: $(VENV)/installed-demo
	$(RUN) -m pip install --quiet --disable-pip-version-check -e ".[demo,docs]"
	touch $@

$(NEWEST_TF_VENV)/installed:
	test -x $(NEWEST_TF_VENV)/bin/python || $(PYTHON) -m venv $(NEWEST_TF_VENV)
	$(NEWEST_TF_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	--upgrade tensorflow
	touch $@

clean:
	rm -rf $(VENV) $(NEWEST_TF_VENV) $(OUTPUT) site *.egg-info
