"""``make screenshots``: every page and state of signapp and authz, light and dark, on a desktop and on a phone.

They lie in ``var/screenshots/``, numbered in the order in which people meet them. A page of the URL tables that the
tour never came to is named, and the end is then a status other than zero.
"""

import os
import signal
import sys
import tempfile
from pathlib import Path

import django
from playwright.sync_api import Error

from scripts.instance import Instance, InstanceError, free_port
from scripts.letters import NoLetterError
from scripts.run import var_dir_from_environment
from scripts.tour import Tour
from scripts.walk import DESKTOP, PHONE, Walk, WalkError, open_chromium


class Pictures:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in folder.glob("*.png"):
            old.unlink()

    def __call__(self, walk: Walk, name: str) -> None:
        self.count += 1
        page = walk.page
        # The reader's frame scrolls inside the window: as a whole page it would be seen as nobody sees it.
        whole = page.locator("body.reader-frame").count() == 0
        for width, size in (("phone", PHONE), ("desktop", DESKTOP)):
            page.set_viewport_size(size)
            page.evaluate("scrollTo(0, 0)")
            for theme in ("dark", "light"):
                page.emulate_media(color_scheme=theme, reduced_motion="reduce")
                path = self.folder / f"{self.count:02}-{name}-{width}-{theme}.png"
                page.screenshot(path=path, animations="disabled", full_page=whole)


def unseen_pages(tour: Tour, instance: Instance, walk: Walk) -> list[str]:
    """By the URL tables of that instance."""
    os.environ.update(instance.environment)
    # Playwright's loop runs in this thread, and Django would take that for an asynchronous caller.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    django.setup()
    from scripts.pages import unseen  # it needs what was just set up

    return unseen(tour.paths, walk.context.request, instance.base_url)


def take(folder: Path) -> list[str]:
    """The names of pages that were not seen."""
    pictures = Pictures(folder)
    with tempfile.TemporaryDirectory(prefix="paraph-screenshots-") as place, open_chromium() as chromium:
        var_dir, port = Path(place, "var"), free_port()
        with Instance(var_dir, port) as instance:
            print(f"Starting an instance at {instance.base_url} …", flush=True)
            instance.start()
            tour = Tour(chromium, instance, on_page=pictures)
            tour.go()
            walk = Walk(chromium, instance.base_url)
            missing = unseen_pages(tour, instance, walk)
        with Instance(var_dir, port, settings={"SIGN_UP_BY_LINK": "true"}) as instance:
            instance.start()
            Tour(chromium, instance, on_page=pictures).by_link()
    print(f"{pictures.count} pages and states, four pictures of each: {folder}")
    return missing


def main() -> int:
    # Ended by a signal, browser and instance end too: SystemExit unwinds what is open.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        missing = take(var_dir_from_environment() / "screenshots")
    except (WalkError, NoLetterError, InstanceError) as error:
        print(error, file=sys.stderr)
        return 1
    except (Error, AssertionError) as error:
        print(f"The tour through the pages stopped.\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    for name in missing:
        print(f"No picture shows {name}: lead the tour there (scripts/tour.py).", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
