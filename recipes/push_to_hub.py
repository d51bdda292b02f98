"""Publish a trained model or an exported data set on the Hub; the same as `lengthgen push`.

python recipes/push_to_hub.py runs/addition/lbpe/seed0 me/addition-lbpe --private
"""

import sys

from hf_lengthgen.cli import main

if __name__ == "__main__":
    sys.exit(main(["push", *sys.argv[1:]]))
