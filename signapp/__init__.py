"""The signature application: a person's pages. Logs them in, keeps their documents, has a document prepared, sends them
to the approval, and hands back the signed PDF.

Talks to the authorization server (as an OpenID client, for login alone) and to signature creation (the gateway's JSON
API, with the person's service token).

Must never know: CMS, keys, PKCS#11, the CSC API, passwords, passkeys. The browser never holds a token.
Holds: its login client's secret; tokens and documents, encrypted.
"""
