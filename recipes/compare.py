"""Tasks x variants x seeds from one YAML file, with a report; the same as `lengthgen compare`.

python recipes/compare.py recipes/comparisons/main.yaml --time_limit 60
"""

import sys

from hf_lengthgen.cli import main

if __name__ == "__main__":
    sys.exit(main(["compare", *sys.argv[1:]]))
