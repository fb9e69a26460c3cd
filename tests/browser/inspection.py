"""What is wrong with a page as it stands in a browser: axe's violations, what is wider than the screen, what weighs."""

from typing import Any

from playwright.sync_api import Page

from scripts.instance import ROOT
from scripts.walk import DESKTOP

AXE = (ROOT / "static" / "vendor" / "axe" / "axe.min.js").read_text(encoding="utf-8")
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_EVERYTHING = {"resultTypes": ["violations"], "runOnly": _TAGS, "iframes": False, "preload": False}
# What a larger screen and other colours can change about the same elements.
_LOOKS = {**_EVERYTHING, "runOnly": {"type": "rule", "values": ["color-contrast", "target-size"]}}
# A page at its first visit, fonts among it: requests and bytes of bodies as they came. A reader brings PDF.js too,
# and the administration Django's scripts.
BUDGET = {"page": (16, 500_000), "reader": (40, 3_000_000), "administration": (32, 600_000)}
_WEIGH = """() => {
  const own = performance.getEntriesByType("navigation")[0];
  const all = [own, ...performance.getEntriesByType("resource")].filter((each) => !each.name.startsWith("blob:"));
  return [all.length, all.reduce((sum, each) => sum + each.encodedBodySize, 0)];
}"""
_WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Colours that are on their way from one look to the other are none of either.
_AT_ONCE = """const sheet = new CSSStyleSheet();
sheet.replaceSync("*, ::before, ::after { transition: none !important; animation: none !important }");
document.adoptedStyleSheets = [sheet];"""
# How large a field stands on the page of a document is what is said by it (WCAG 2.2, 2.5.8, "essential"); whoever
# cannot hit it on a small screen walks by keyboard.
_ESSENTIAL = ".placed, .place"
_AXE = """async ([options, essential]) => {
  const { violations } = await axe.run(document, options);
  const counts = (rule, node) => rule !== "target-size" || !document.querySelector(node.target[0]).matches(essential);
  return violations
    .map(({ id, nodes }) => ({ id, nodes: nodes.filter((node) => counts(id, node)) }))
    .filter(({ nodes }) => nodes.length);
}"""


class Inspection:
    """Each page once: on a small phone in light colours, and on a desktop in dark ones."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.faults: list[Any] = []
        self.weights: dict[str, tuple[int, int]] = {}

    def __call__(self, page: Page, name: str) -> None:
        self.seen.append(name)
        page.wait_for_load_state()  # a page that comes while it is looked at takes the looking's ground away
        self.weigh(page, name)
        page.evaluate(f"(() => {{ {_AT_ONCE} }})()")
        if not page.evaluate("'axe' in globalThis"):
            page.evaluate(AXE)
        theme: Any
        options: Any
        for width, theme, options in ((320, "light", _EVERYTHING), (1280, "dark", _LOOKS)):
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            wide = page.evaluate(_WIDER)
            self.faults += [(name, width, "too wide by", wide)] if wide > 0 else []
            found = page.evaluate(_AXE, [options, _ESSENTIAL])
            self.faults += [(name, theme, each["id"], each["nodes"][0]["target"]) for each in found]
        page.set_viewport_size(DESKTOP)
        page.emulate_media(color_scheme="light", reduced_motion="reduce")

    def weigh(self, page: Page, name: str) -> None:
        requests, size = self.weights[name] = tuple(page.evaluate(_WEIGH))
        marks = {"reader": "body.reader-frame", "administration": "body[data-admin-utc-offset]"}
        kind = next((kind for kind, mark in marks.items() if page.locator(mark).count()), "page")
        most_requests, most_bytes = BUDGET[kind]
        if requests > most_requests or size > most_bytes:
            self.faults.append((name, "too heavy", requests, size))
