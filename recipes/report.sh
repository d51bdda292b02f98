#!/usr/bin/env bash
# Draws the tables and figures of README.md and docs/retrofit.md from the files in results/ (made by recipes/results.sh,
# `lengthgen compare main` and the commands in results/smollm2).
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"

lengthgen compare main --report_only --write_into README.md
lengthgen report results/addition --figure docs/figures/addition.svg --write_into README.md --table addition
lengthgen report results/addition_unequal --write_into README.md --table addition_unequal
lengthgen report results/copy results/reverse results/shift results/parity results/division_digit results/parity_no_cot --write_into README.md --table others
python -m hf_lengthgen.retrofit.report results/smollm2 --write_into docs/retrofit.md
