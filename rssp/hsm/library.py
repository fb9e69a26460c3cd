"""A PKCS#11 module, initialised so that threads may use it.

python-pkcs11 calls ``C_Initialize(NULL)``, which promises the module a single thread; SoftHSM then drops its mutexes,
and two threads crash it. So the module is finalised and initialised again with ``CKF_OS_LOCKING_OK``, before any
session is open, through the same function list that python-pkcs11 uses.
"""

import ctypes
from pathlib import Path
from typing import Any

import pkcs11
from pkcs11 import TokenFlag

from rssp.errors import HsmUnavailableError

_CKF_OS_LOCKING_OK = 2
_CKS_USER_FUNCTIONS = (1, 3)  # read-only and read-write session of a user who is logged in


class _InitializeArgs(ctypes.Structure):
    _fields_ = [
        ("CreateMutex", ctypes.c_void_p),
        ("DestroyMutex", ctypes.c_void_p),
        ("LockMutex", ctypes.c_void_p),
        ("UnlockMutex", ctypes.c_void_p),
        ("flags", ctypes.c_ulong),
        ("pReserved", ctypes.c_void_p),
    ]


class _SessionInfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulong) for name in ("slotID", "state", "flags", "ulDeviceError")]


class _FunctionList(ctypes.Structure):
    """CK_FUNCTION_LIST as far as it is used here; the order is the standard's (PKCS#11 v2.40, 3.6)."""

    _fields_ = [
        ("version", ctypes.c_ubyte * 2),
        ("C_Initialize", ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_void_p)),
        ("C_Finalize", ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_void_p)),
        ("information", ctypes.c_void_p * 7),  # C_GetInfo to C_GetMechanismInfo
        (
            "C_InitToken",
            ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p),
        ),
        ("pins_and_sessions", ctypes.c_void_p * 5),  # C_InitPIN to C_CloseAllSessions
        ("C_GetSessionInfo", ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_ulong, ctypes.c_void_p)),
    ]


class Library:
    """The module that ``path`` names, initialised afresh: sessions that this process had with it are gone."""

    def __init__(self, path: str) -> None:
        if not Path(path).is_file():
            raise HsmUnavailableError("the PKCS#11 module's file does not exist")
        self._functions = _read_function_list(path)
        # What is initialised already cannot be loaded, and what is not has nothing to finalise; that is no error.
        self._functions.C_Finalize(None)
        self._library = pkcs11.lib(path)
        self._functions.C_Finalize(None)
        arguments = _InitializeArgs(flags=_CKF_OS_LOCKING_OK)
        if self._functions.C_Initialize(ctypes.byref(arguments)) != 0:
            raise HsmUnavailableError("the PKCS#11 module does not initialise")

    def find_token(self, label: str) -> pkcs11.Token:
        """Raises `pkcs11.PKCS11Error` when there is none or more than one."""
        return self._library.get_token(token_label=label)

    def initialise_token(self, *, label: str, so_pin: str) -> None:
        """Makes a token in a free slot; like all of this module's state it is seen by a new `Library` alone."""
        free = [slot for slot in self._library.get_slots() if not slot.get_token().flags & TokenFlag.TOKEN_INITIALIZED]
        padded = label.encode().ljust(32)
        if not free or self._functions.C_InitToken(free[0].slot_id, so_pin.encode(), len(so_pin), padded) != 0:
            raise HsmUnavailableError("the PKCS#11 module makes no token")

    def is_logged_in(self, session: Any) -> bool:
        """Whether the session lives and its user is logged in, as the module sees it."""
        info = _SessionInfo()
        failed = self._functions.C_GetSessionInfo(session.handle, ctypes.byref(info))
        return not failed and info.state in _CKS_USER_FUNCTIONS


def _read_function_list(path: str) -> _FunctionList:
    functions = ctypes.POINTER(_FunctionList)()
    if ctypes.CDLL(path).C_GetFunctionList(ctypes.byref(functions)) != 0:
        raise HsmUnavailableError("the PKCS#11 module has no function list")
    return functions.contents
