#!/usr/bin/env bash
# Compiles the locks from the direct dependencies in pyproject.toml, for every Python that it allows.
set -euo pipefail
cd "$(dirname "$0")/.."
compile=(.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header "$@")
"${compile[@]}" pyproject.toml -o requirements.txt
"${compile[@]}" --extra s3 pyproject.toml -c requirements.txt -o requirements-s3.txt
"${compile[@]}" --group dev -c requirements.txt -o requirements-dev.txt
"${compile[@]}" --group assets -o requirements-assets.txt
