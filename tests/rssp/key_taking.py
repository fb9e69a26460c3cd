"""One of several processes that take keys from the pool, over one database and one token: what test_key_races starts.
Waits for a line, so that all begin at once; prints the id of each key as a line."""

import sys

import django

django.setup()

from rssp.services.keys import take_key  # noqa: E402


def main(count: int) -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    for _ in range(count):
        key = take_key(key_algorithm="ec-p256", one_time=True)
        sys.stdout.write(bytes(key.key_id).hex() + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
