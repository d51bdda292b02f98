"""Exact match of a trained model at given lengths; the same as `lengthgen evaluate`.

python recipes/evaluate.py runs/addition/lbpe/seed0 --lengths 10 100 1000 --mode teacher
"""

import sys

from hf_lengthgen.cli import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
