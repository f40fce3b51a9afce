.DEFAULT_GOAL := help
.PHONY: help demo demo-headless up test check bench proofs lint containers clean
PYTHON ?= python3
RUN := .venv/bin
PROOFS := reading_faults reading_scale night_crashes

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/installed  ## Everything on this machine, with sample radiographs
	$(RUN)/overread demo

demo-headless: .venv/installed  ## The whole loop and two nights, with simulated readers
	folder=$$(mktemp -d) && $(RUN)/overread demo --headless --folder "$$folder" && rm -r "$$folder"

up: .venv/installed  ## Label Studio, backend, ML backend, nightly job
	$(RUN)/overread up

test: .venv/installed .venv-label-studio/installed  ## All tests
	command -v chromium >/dev/null || $(RUN)/playwright install chromium
	$(RUN)/python -m pytest -n 2 --dist loadgroup

lint: .venv/installed  ## Style, types, import contracts, docstrings
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports
	@# A command's docstring is its --help, not an API page.
	$(RUN)/numpydoc lint $$(git ls-files 'backend/*.py' 'ml_backend/*.py' ':!backend/cli' ':!ml_backend/*commands.py')

check: lint test  ## Everything that has to be green

containers: .venv/installed  ## Check the container files with dclint as well
	npx --yes dclint@3.1.0 docker-compose.yml

bench: .venv/installed  ## Benchmarks
	$(RUN)/python -m benchmarks.average_precision
	$(RUN)/python -m benchmarks.runtimes
	$(RUN)/python -m benchmarks.serving
	$(RUN)/python -m benchmarks.score_pool
	$(RUN)/python -m benchmarks.queue_scale
	$(RUN)/python -m benchmarks.queue_store
	$(RUN)/python -m benchmarks.active_learning
	$(RUN)/python -m benchmarks.gate

proofs: .venv/installed .venv-label-studio/installed  ## What takes minutes: faults and scale of reading, results kept
	for proof in $(PROOFS); do \
	  $(RUN)/python -m benchmarks.$$proof --json > $$proof.tmp && mv $$proof.tmp benchmarks/results/$$proof.json \
	    || { cat $$proof.tmp; rm $$proof.tmp; exit 1; }; \
	done

clean:  ## Remove what make installed
	rm -rf .venv .venv-label-studio

.venv/installed: pyproject.toml constraints.txt
	test -x $(RUN)/python || $(PYTHON) -m venv .venv
	$(RUN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	$(RUN)/python -m uv pip install --quiet --python .venv -c constraints.txt -e '.[ml,test,dev]'
	touch $@

.venv-label-studio/installed: constraints-label-studio.txt | .venv/installed
	$(RUN)/python -m uv venv --quiet --clear .venv-label-studio
	$(RUN)/python -m uv pip install --quiet --python .venv-label-studio -c constraints-label-studio.txt label-studio
	touch $@
