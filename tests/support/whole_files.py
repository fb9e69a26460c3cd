"""Signatures in files that are one piece, as nobody keeps them: the original, and what was added to it."""

import io
import os
from collections.abc import Sequence
from typing import IO

from gateway.errors import CredentialNotUsableError
from gateway.pades.algorithms import parse_algorithm
from gateway.pades.covering import hash_original
from gateway.pades.finished import verify_finished
from gateway.pades.levels import Trust
from gateway.pades.prepare import prepare_document
from gateway.pades.to_be_signed import fix_signature
from gateway.pades.values import Area, PreparedSignature, SignatureRequest, VerifiedSignedDocument


def prepare_whole(
    file: IO[bytes], request: SignatureRequest, *, password: str = ""
) -> tuple[PreparedSignature, tuple[Area, ...]]:
    """The file grows by the update; what is to be signed, and where it may look different."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    place = prepare_document(file, request, password=password)
    algorithm = parse_algorithm(certificate=request.chain[0], sign_algo=request.sign_algo)
    file.seek(0)
    original = hash_original([file.read(size)], hash_name=algorithm.hash_name)
    update = io.BytesIO(file.read())
    return fix_signature(update, original=original, place=place, request=request), place.areas


def verify_whole(
    data: bytes,
    *,
    chain: Sequence[bytes],
    sign_algo: str,
    prepared: PreparedSignature,
    trust: Trust,
    size: int,
    sha256: str,
) -> VerifiedSignedDocument:
    """A file whose first ``size`` bytes should be the original with this ``sha256``."""
    try:
        hash_name = parse_algorithm(certificate=chain[0], sign_algo=sign_algo).hash_name
    except CredentialNotUsableError:
        hash_name = "sha256"
    return verify_finished(
        io.BytesIO(data[size:]),
        chain=chain,
        sign_algo=sign_algo,
        prepared=prepared,
        trust=trust,
        original=hash_original([data[:size]], hash_name=hash_name),
        size=size,
        sha256=sha256,
    )
