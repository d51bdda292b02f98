"""Train, evaluate and write down one run; the same as `lengthgen train`.

accelerate launch --config_file recipes/accelerate_configs/cpu.yaml recipes/train.py --config addition/lbpe
"""

import sys

from hf_lengthgen.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
