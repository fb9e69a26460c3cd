"""``python -m benchmarks.keys``: what a signature costs with a key in the token, wrapped, and wrapped but kept.

Every way is measured in the same run as python-pkcs11 alone with session and handle at hand, and told as a ratio to it:
figures of a machine drift, ratios hold. Counted is this process's processor time, which other work on the machine
changes little. A SoftHSM token of its own in a temporary folder, one thread, no database. Each round does a little of
everything, so that a machine that is slow for a while is slow for all. With ``--making N``, what N keys of each kind
cost to make, instead.
"""

import argparse
import hashlib
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass

from rssp.algorithms import KEY_ALGORITHMS, SigningOperation, WrappedKey
from rssp.hsm.keys import find_key
from rssp.hsm.mechanisms import build_request
from rssp.hsm.pkcs11 import Pkcs11Hsm
from rssp.hsm.softhsm import ensure_token
from rssp.hsm.unwrapped import drop_expired
from rssp.hsm.wrapping import _NOT_OF_PRIVATE_KEYS, _SESSION_TEMPLATE

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
DIGEST = hashlib.sha256(b"agreed").digest()
ALONE = "python-pkcs11 alone, handle at hand"
KINDS = {
    "ec-p256": SigningOperation("ec", "ecdsa", "sha256"),
    "rsa-2048": SigningOperation("rsa", "pkcs1", "sha256"),
}


class Bench:
    """One token with one key-encryption key."""

    def __init__(self, folder: Path) -> None:
        os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
        configuration = folder / "softhsm2.conf"
        ensure_token(directory=folder, configuration=configuration, label="bench", pin="482913", module=MODULE)
        self.hsm = Pkcs11Hsm(module_path=MODULE, token_label="bench", pin="482913", lock_path=folder / "lock")
        self.kek_id = secrets.token_bytes(16)
        self.hsm.generate_kek(key_id=self.kek_id, label="kek")

    def make_resident(self, kind: str) -> bytes:
        key_id = secrets.token_bytes(16)
        self.hsm.generate_key(key_id=key_id, label="signer", key_algorithm=kind)
        return key_id

    def make_wrapped(self, kind: str) -> WrappedKey:
        return self.hsm.generate_wrapped_key(kek_id=self.kek_id, key_id=secrets.token_bytes(16), key_algorithm=kind)


def time_each(action: Callable[[], object], seconds: float) -> float:
    """Milliseconds of processor time for one."""
    count, begin = 0, time.process_time()
    while (spent := time.process_time() - begin) < seconds:
        action()
        count += 1
    return spent / count * 1000


class Ways:
    """The ways to one signature with one kind of key, by name."""

    def __init__(self, bench: Bench, kind: str) -> None:
        self.hsm = bench.hsm
        self.operation = KINDS[kind]
        self.key_id, self.wrapped = bench.make_resident(kind), bench.make_wrapped(kind)
        session = bench.hsm._pool.take()
        self.handle = find_key(session, key_id=self.key_id)
        self.kek = session.raw.get_key(object_class=ObjectClass.SECRET_KEY, key_type=KeyType.AES, id=bench.kek_id)
        curve_bytes = self.handle.curve_bytes
        self.request = build_request(operation=self.operation, digest=DIGEST, curve_bytes=curve_bytes)

    def alone(self) -> None:
        self._sign(self.handle.raw)

    def unwrapped_alone(self) -> None:
        """What a wrapped key cannot cost less than: no HMAC, no session taken, nothing looked for."""
        private = self.kek.unwrap_key(
            ObjectClass.PRIVATE_KEY,
            KeyType.RSA if self.operation.key_kind == "rsa" else KeyType.EC,
            self.wrapped.wrapped_key,
            mechanism=Mechanism.AES_KEY_WRAP_PAD,
            capabilities=MechanismFlag.SIGN,
            store=False,
            template=_SESSION_TEMPLATE | _NOT_OF_PRIVATE_KEYS | {Attribute.EXTRACTABLE: False},
        )
        self._sign(private)
        private.destroy()

    def _sign(self, private: Any) -> None:
        request = self.request
        private.sign(request.data, mechanism=request.mechanism, mechanism_param=request.parameter)

    def remembered(self) -> None:
        with self.hsm.open_key(key_id=self.key_id) as signer:
            signer.sign_digest(operation=self.operation, digest=DIGEST)

    def searched(self) -> None:
        for idle in self.hsm._pool._idle:
            idle.handles.clear()
        self.remembered()

    def unwrapped(self) -> None:
        with self.hsm.open_wrapped_key(key=self.wrapped) as signer:
            signer.sign_digest(operation=self.operation, digest=DIGEST)

    def keep(self, seconds: float) -> None:
        self.hsm._cache._seconds = seconds
        for idle in self.hsm._pool._idle:
            drop_expired(idle, everything_of=self.wrapped.key_id)


def measure(bench: Bench, kind: str, *, rounds: int, seconds: float) -> dict[str, float]:
    ways = Ways(bench, kind)
    actions = {
        ALONE: (ways.alone, 0),
        "resident, handle remembered": (ways.remembered, 0),
        "resident, searched": (ways.searched, 0),
        "python-pkcs11 alone: unwrap, sign, destroy": (ways.unwrapped_alone, 0),
        "wrapped, unwrapped each time": (ways.unwrapped, 0),
        "wrapped, kept unwrapped": (ways.unwrapped, 600),
    }
    found: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, (action, kept_seconds) in actions.items():
            ways.keep(kept_seconds)
            action()
            found[name].append(time_each(action, seconds))
    return {name: statistics.median(times) for name, times in found.items()}


def measure_making(bench: Bench, count: int) -> None:
    print("| key | median s | slowest s |")
    print("|---|---|---|")
    for kind in KEY_ALGORITHMS:
        times = []
        for _ in range(count):
            begin = time.process_time()
            bench.make_wrapped(kind)
            times.append(time.process_time() - begin)
        print(f"| {kind} | {statistics.median(times):.4f} | {max(times):.4f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="for each way in each round")
    parser.add_argument("--objects", type=int, nargs="*", default=[10, 100, 400], help="key pairs in the token")
    parser.add_argument("--making", type=int, metavar="N", help="make N keys of each kind, and sign nothing")
    chosen = parser.parse_args()
    if chosen.making:
        with tempfile.TemporaryDirectory() as folder:
            measure_making(Bench(Path(folder)), chosen.making)
        return
    print("| key | other key pairs in the token | way | ms a signature | ratio |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        there = 0
        for objects in chosen.objects:
            while there < objects:
                bench.make_resident("ec-p256")
                there += 1
            for kind in KINDS:
                times = measure(bench, kind, rounds=chosen.rounds, seconds=chosen.seconds)
                alone = times[ALONE]
                for name, took in times.items():
                    print(f"| {kind} | {there} | {name} | {took:.3f} | {took / alone:.2f} |")


if __name__ == "__main__":
    main()
