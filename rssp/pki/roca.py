"""RSA keys that one maker's library made of too little chance (CVE-2017-15361, ROCA): told by the modulus alone.

Both primes of such a key are powers of 65537 modulo the product of the smallest primes, so the modulus is one too.
"""

from functools import cache

_GENERATOR = 65537
# Of the primes that the library's product has for the shortest keys, and so for all.
_PRIMES = (
    *(3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71),
    *(73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167),
)


def has_roca_fingerprint(modulus: int) -> bool:
    """Whether the modulus is a power of 65537 modulo each of the primes. Of keys made by chance one in 2^27 is."""
    return all(modulus % prime in powers for prime, powers in _powers())


@cache
def _powers() -> tuple[tuple[int, frozenset[int]], ...]:
    """Each prime with the subgroup that 65537 generates."""
    return tuple((prime, frozenset(pow(_GENERATOR, power, prime) for power in range(prime - 1))) for prime in _PRIMES)
