"""``make -s seed``: the demo data of the running instance, as one JSON object on standard output and nothing else."""

import sys

from scripts.instance import InstanceError, running_instance
from scripts.run import var_dir_from_environment


def main() -> int:
    try:
        running_instance(var_dir_from_environment()).manage("seed_demo")
    except InstanceError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
