# What each target needs is installed when it runs; nothing is installed twice.
.DEFAULT_GOAL := help
.PHONY: help run demo screenshots messages seed test soak check audit sbom lock clean
PYTHON := .venv/bin/python

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name what; do printf '  make %-12s %s\n' "$$name" "$$what"; done

run: ## start everything on 127.0.0.1, port 8000 or PORT=…, until Ctrl-C; HOST=name: over TLS, for other devices too
	@scripts/bootstrap.sh run
	@$(PYTHON) -m scripts.run

demo: ## sign var/demo/signed.pdf in a real browser, or PDF=path, and leave screenshots of each step
	@scripts/bootstrap.sh test
	@$(PYTHON) -m scripts.demo $${PDF:+"$$PDF"}

screenshots: ## every page of signapp and authz, light and dark, desktop and phone, into var/screenshots/
	@scripts/bootstrap.sh test
	@$(PYTHON) -m scripts.screenshots

messages: ## find the texts of the pages, and say which are to be translated (locale/)
	@scripts/bootstrap.sh test
	@$(PYTHON) -m scripts.messages

seed: ## print the running instance's demo data as JSON (make -s seed)
	@$(PYTHON) -m scripts.seed

test: ## run every test; ARGS="-k name" goes to pytest
	@scripts/bootstrap.sh test
	@$(PYTHON) -m scripts.test $(ARGS)

soak: ## race, kill and fuzz for an hour or two, and write docs/soak.md (options: scripts/soak.py)
	@scripts/bootstrap.sh test
	@$(PYTHON) -m scripts.soak $(ARGS)

check: ## what a change must pass: lint, types, contracts, migrations, deployment checks, known weaknesses, every test
	@scripts/bootstrap.sh test
	@$(PYTHON) -m scripts.check

audit: ## ask for known weaknesses of what the lock files name; AUDIT_REQUIRED=1: fail where nobody answers
	@scripts/bootstrap.sh test
	@$(PYTHON) -m scripts.weaknesses

sbom: ## write the bill of materials, var/sbom.json (CycloneDX), of the lock files and the system's packages
	@scripts/bootstrap.sh test
	@$(PYTHON) -m scripts.sbom $(ARGS)

lock: ## compile the lock files from pyproject.toml
	@scripts/bootstrap.sh test
	@scripts/lock.sh $(ARGS)

clean: ## remove what was installed and built; data and keys under var/ stay
	rm -rf .venv node_modules .verapdf static/vendor .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
