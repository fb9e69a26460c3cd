"""A conformance kit for any server of the CSC API, versions 1.0.4.0 and 2.0.0.2 (with members of 2.2).

    python -m tests.conformance --base-url https://host/csc --token … --pin …

asks a running server what each row of the specification's tables says, and prints what it answered, clause by clause.
It needs nothing of Paraph: `rows` is the vocabulary, `tables` reads like the contract, `target` is what is known of
the server under test, `running` asks, `reporting` writes. `test_contract` runs the same rows against our
own instance, where no row may be left out.
"""
