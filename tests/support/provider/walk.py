"""A person with a browser whose account is at the other provider, which has pages of its own."""

import re
from typing import Any
from urllib.parse import urljoin

import httpx

from tests.support.provider import Provider
from tests.support.walk import Walker, WalkError


class FederatedWalker(Walker):
    """As `Walker`; ``name`` is the login there, and there is no passkey."""

    def __init__(self, name: str, *, signapp: str, provider: Provider) -> None:
        super().__init__(name, signapp=signapp, authz=provider.issuer)
        self.subject = name.lower()
        self.provider = provider

    def log_in(self) -> None:
        self.http.cookies.clear()
        self._arrive(self.pass_provider(self.open("/login?next=/documents")))

    def pass_provider(self, page: httpx.Response, *, subject: str = "", until: str = "") -> httpx.Response:
        """Through the provider's pages, logging in and consenting, to ours; or up to the address that begins with
        ``until``."""
        while str(page.url).startswith(self.provider.issuer) and not page.is_redirect:
            action = re.search(r'action="([^"]*)"', page.text)
            if not action:
                raise WalkError(f"{page.url} asks for nothing: {page.text[:300]}")
            # A consent's form, or the one that ends another person's session, has hidden fields alone.
            hidden = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', page.text))
            form = hidden | {"login": subject or self.subject, "password": "-"}
            page = self._follow(self.http.post(urljoin(str(page.url), action[1]), data=form), until)
        return page

    def approve(self, page: httpx.Response, *, until: str = "", password: str = "") -> httpx.Response:
        return self.pass_provider(page, until=until)

    def answer(self, path: str) -> str:
        """The address with a code that the provider sends the browser back to, not yet opened."""
        page = self.pass_provider(self.begin_approval(path), until=f"{self.signapp}/approval/callback")
        location: str = page.headers["Location"]
        return location

    def log_out(self) -> httpx.Response:
        """The provider's page that asks whether to end its session too."""
        return self.send(self.open("/account"), "/logout")

    def prepared(self, pdf: bytes, **how: Any) -> str:
        path = self.upload(pdf)
        self.prepare(path, **how)
        return path

    def token_of(self, page: httpx.Response) -> str:
        """The token that a form of the page would send."""
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]*)"', page.text)
        assert found is not None
        return found[1]
