"""CMS signed attributes that somebody else built: whether they may be signed for an approved document digest.

Who signs a hash of unseen attributes signs whatever they say. Here they are read: DER, no attribute twice, content type
``id-data``, and the message digest that was approved (RFC 5652, 5.3, 5.4, 11.1 and 11.2). Plain Python.
"""

from asn1crypto import cms, core
from asn1crypto.parser import emit, parse

from rssp.errors import SignedAttributesError

LONGEST = 64 * 1024
_DEEPEST = 16
_SET, _SEQUENCE = 17, 16
_ID_DATA = "1.2.840.113549.1.7.1"
_CONTENT_TYPE, _MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"


def read_message_digest(attributes: bytes) -> bytes:
    """The document digest of ``SET OF Attribute``, encoded as it is hashed; raises `SignedAttributesError`."""
    if len(attributes) > LONGEST:
        raise SignedAttributesError("the attributes are too long")
    try:
        _verify_der(attributes, depth=0)
        found = _read(attributes)
    except (ValueError, TypeError, RecursionError):
        raise SignedAttributesError("the attributes are not DER") from None
    if found.get(_CONTENT_TYPE) != core.ObjectIdentifier(_ID_DATA).dump():
        raise SignedAttributesError("the content type is not id-data")
    try:
        return bytes(core.OctetString.load(found[_MESSAGE_DIGEST], strict=True).native)
    except (KeyError, ValueError, TypeError):
        raise SignedAttributesError("there is no message digest") from None


def _read(attributes: bytes) -> dict[str, bytes]:
    """Each attribute's one value, still encoded."""
    found: dict[str, bytes] = {}
    for attribute in cms.CMSAttributes.load(attributes, strict=True):
        name, values = attribute["type"].dotted, attribute["values"]
        if name in found:
            raise SignedAttributesError("an attribute stands twice")
        if len(values) != 1:
            raise SignedAttributesError("an attribute has not one value")
        found[name] = values[0].dump()
    return found


def _verify_der(encoded: bytes, *, depth: int) -> None:
    """One value in its only encoding: shortest lengths, members of a SET in order (X.690, 10.1 and 11.6)."""
    class_, method, tag, header, content, trailer = parse(encoded, strict=True)
    if depth > _DEEPEST or trailer or emit(class_, method, tag, content) != header + content:
        raise ValueError("not DER")
    if depth == 0 and (class_, method, tag) != (0, 1, _SET):
        raise ValueError("not a SET")
    if method == 0:
        _verify_primitive(class_, tag, content)
        return
    if class_ == 0 and tag not in (_SET, _SEQUENCE):
        raise ValueError("a string in pieces")
    members = list(_members(content))
    if class_ == 0 and tag == _SET and members != sorted(members):
        raise ValueError("a SET out of order")
    for member in members:
        _verify_der(member, depth=depth + 1)


def _members(content: bytes) -> list[bytes]:
    members = []
    while content:
        _, _, _, header, value, trailer = parse(content)
        length = len(header) + len(value) + len(trailer)
        members.append(content[:length])
        content = content[length:]
    return members


def _verify_primitive(class_: int, tag: int, content: bytes) -> None:
    if class_ != 0:
        return
    if tag in (_SET, _SEQUENCE):
        raise ValueError("a primitive collection")
    if tag == core.Boolean.tag and content not in (b"\x00", b"\xff"):
        raise ValueError("a boolean that is neither")
    if tag == core.Integer.tag and (not content or _is_padded(content)):
        raise ValueError("a padded integer")


def _is_padded(content: bytes) -> bool:
    return len(content) > 1 and (content[0], content[1] >> 7) in {(0x00, 0), (0xFF, 1)}
