"""PAdES (ETSI EN 319 142-1) signatures in PDF files, level B-B, in two halves around a signature value made elsewhere.

The only door to pyHanko. Plain Python: no Django, no network. A stranger's PDF is parsed in a child process alone
(`isolation` starts it, `child` is what runs there); the parent handles open files and small JSON values.
"""
