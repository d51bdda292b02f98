#!/usr/bin/env bash
# Draws the README's tables and figures from the files in results/ (made by recipes/results.sh).
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"

lengthgen report results/addition --figure docs/figures/addition.svg --write_into README.md --table addition
lengthgen report results/addition_unequal --write_into README.md --table addition_unequal
lengthgen report results/copy results/reverse results/shift results/parity results/parity_no_cot --write_into README.md --table others
