#!/usr/bin/env bash
# Predictions for every cell of the comparison in recipes/comparisons/main.yaml, and how they compare with its results.
#
#   recipes/predictions.sh          writes results/predictions.json; an existing file is left as it is: predictions are
#                                   made once, before the results they are held against
#   recipes/predictions.sh check    writes results/agreement.md: a confusion matrix per embedding, and every exception,
#                                   from results/predictions.json and results/main
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
file=results/predictions.json

case "${1:-write}" in
  write)
    if [[ -e $file ]]; then
      echo "$file is there already; predictions are made once" >&2
      exit 1
    fi
    lengthgen src --grid main --output "$file"
    ;;
  check) lengthgen src --predictions "$file" --results results/main | tee results/agreement.md ;;
  *)
    echo "usage: recipes/predictions.sh [check]" >&2
    exit 2
    ;;
esac
