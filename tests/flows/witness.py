"""Who signs: each call of C_SignInit and C_Sign as it enters the PKCS#11 module, with its key and its data.

pkcs11-spy counts these calls too, but the lines of several threads stand mixed in its log: it tells how many calls
there were and not which key signed what. So the two entries of the module's function list (PKCS#11 v2.40, 3.6) are
replaced, and each call leaves one whole line in a file before it goes on. What a killed process asked for is there.
"""

import ctypes
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Where they stand in CK_FUNCTION_LIST, whose first member is a version.
_GET_ATTRIBUTE_VALUE, _SIGN_INIT, _SIGN = 25, 43, 44
_CKA_TOKEN = 0x1
_Handle = ctypes.c_ulong


class _Mechanism(ctypes.Structure):
    _fields_ = [("mechanism", ctypes.c_ulong), ("pParameter", ctypes.c_void_p), ("ulParameterLen", ctypes.c_ulong)]


class _Attribute(ctypes.Structure):
    _fields_ = [("type", ctypes.c_ulong), ("pValue", ctypes.c_void_p), ("ulValueLen", ctypes.c_ulong)]


_GetAttributeValue = ctypes.CFUNCTYPE(ctypes.c_ulong, _Handle, _Handle, ctypes.POINTER(_Attribute), ctypes.c_ulong)
_SignInit = ctypes.CFUNCTYPE(ctypes.c_ulong, _Handle, ctypes.POINTER(_Mechanism), _Handle)
_Sign = ctypes.CFUNCTYPE(
    ctypes.c_ulong, _Handle, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p, ctypes.POINTER(ctypes.c_ulong)
)


@dataclass(frozen=True)
class SignCall:
    """A call that entered the module at ``at`` (seconds since 1970). ``key`` is its handle in that process; signers'
    keys are unwrapped into a session, so a key of the token is the authority's, or the secret of an HMAC."""

    name: str
    at: float
    process: int
    session: int
    key: int
    of_token: bool
    data: str = ""
    wants_length: bool = False

    @property
    def is_signature(self) -> bool:
        """Not C_SignInit, and not the C_Sign that asks how long the signature will be."""
        return self.name == "C_Sign" and not self.wants_length


def read_calls(folder: Path) -> Iterator[SignCall]:
    """All calls of all processes so far, those of one process in their order."""
    for log in sorted(folder.glob("calls.*")):
        for line in log.read_text(encoding="ascii").splitlines():
            yield SignCall(**json.loads(line))


def install(folder: str, module: str) -> None:
    """Before the first use of ``module`` in this process."""
    log = os.open(Path(folder) / f"calls.{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    slots = _function_slots(module)
    get_attribute_value = _GetAttributeValue(slots[_GET_ATTRIBUTE_VALUE])
    sign_init, sign = _SignInit(slots[_SIGN_INIT]), _Sign(slots[_SIGN])
    keys: dict[int, tuple[int, bool]] = {}

    def tell(name: str, session: int, **more: Any) -> None:
        key, of_token = keys[session]
        call = SignCall(name, time.time(), os.getpid(), session, key, of_token, **more)
        os.write(log, json.dumps(vars(call)).encode() + b"\n")

    def on_sign_init(session: int, mechanism: Any, key: int) -> int:
        value = ctypes.c_ubyte(1)
        attribute = _Attribute(_CKA_TOKEN, ctypes.addressof(value), 1)
        get_attribute_value(session, key, attribute, 1)
        keys[session] = (key, bool(value.value))
        tell("C_SignInit", session)
        return int(sign_init(session, mechanism, key))

    def on_sign(session: int, data: int, size: int, signature: int | None, length: Any) -> int:
        tell("C_Sign", session, data=ctypes.string_at(data, size).hex(), wants_length=signature is None)
        return int(sign(session, data, size, signature, length))

    for number, replacement in ((_SIGN_INIT, _SignInit(on_sign_init)), (_SIGN, _Sign(on_sign))):
        _kept.append(replacement)
        slots[number] = ctypes.cast(replacement, ctypes.c_void_p).value


_kept: list[Any] = []  # the module calls them for as long as the process lives


def _function_slots(module: str) -> Any:
    """The function list, which the module shares with everybody in the process, as addresses from 1."""
    functions = ctypes.POINTER(ctypes.c_void_p)()
    if ctypes.CDLL(module).C_GetFunctionList(ctypes.byref(functions)) != 0:
        raise RuntimeError("the PKCS#11 module has no function list")
    return functions
