#!/usr/bin/env bash
# Makes the result files under results/ that the README's tables and figures are drawn from.
#
#   recipes/results.sh                    everything, JOBS runs at a time (default: 2)
#   recipes/results.sh addition/lbpe      only the runs of these recipes (any number)
#
# Each run trains on one thread and resumes where it was interrupted; a finished one is not repeated.
set -euo pipefail
cd "$(dirname "$0")/.."
export OMP_NUM_THREADS=1
jobs=${JOBS:-2}
only=" $* "
cells=$(
  for seed in 0 1 2 3 4; do
    for config in addition/lbpe copy/lbpe reverse/lbpe shift/lbpe parity/lbpe; do echo "$config $seed"; done
  done
  for seed in 0 1 2; do echo "addition_unequal/lbpe $seed"; done
  for name in lbpe_no_hint rope alibi t5 none learned; do echo "addition/$name 0"; done
  for config in division_digit/lbpe parity_no_cot/lbpe; do echo "$config 0"; done
)
known=$(cut -d " " -f 1 <<<"$cells" | LC_ALL=C sort -u)
for name in "$@"; do
  grep -qxF -- "$name" <<<"$known" ||
    { echo "recipes/results.sh knows no recipe '$name', only $(xargs <<<"$known")." >&2; exit 2; }
done

run() {
  config=$1 seed=$2
  lengthgen train --config "$config" --seed "$seed" --threads 1 --output_dir "runs/$config/seed$seed" \
    >"runs/$config-seed$seed.log" 2>&1 || { echo "failed: $config seed $seed, see runs/$config-seed$seed.log" >&2; exit 1; }
  mkdir -p "results/$config"
  cp "runs/$config/seed$seed/result.json" "results/$config/seed$seed.json"
  echo "$config seed $seed: done"
}
export -f run

mkdir -p runs/{addition,copy,reverse,shift,parity,addition_unequal,division_digit,parity_no_cot}
chosen() {
  while read -r config seed; do
    if [[ $only == "  " || $only == *" $config "* ]]; then echo "$config $seed"; fi
  done
}
chosen <<<"$cells" | PATH="$PWD/.venv/bin:$PATH" xargs -r -P "$jobs" -L 1 bash -c 'run "$0" "$1"'
