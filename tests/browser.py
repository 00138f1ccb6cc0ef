"""Pages in real headless Chromium."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), "")
_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr")
_FRAME = """<!doctype html><iframe id="page" src="{name}" width="{width}" height="800"></iframe>
<pre id="found"></pre><script>
document.getElementById("page").onload = event => {{
  const page = event.target.contentDocument, box = each => each.getBoundingClientRect();
  const found = {{
    width: page.documentElement.scrollWidth,
    boxes: [...page.querySelectorAll({selector})].map(each => [box(each).width, box(each).height]),
    sizes: [...page.querySelectorAll("p, td, dd, dt, svg text")].map(each =>
      parseFloat(getComputedStyle(each).fontSize)
      * (each.ownerSVGElement ? box(each.ownerSVGElement).width / 640 : 1)),
  }};
  document.getElementById("found").textContent = JSON.stringify(found);
}};</script>"""


def page_in_a_browser(url: str, *flags: str) -> tuple[str, list[str]]:
    """The page's document once it is drawn, and what its console said."""
    command = [CHROMIUM, *_FLAGS, "--virtual-time-budget=8000", *flags, "--dump-dom", url]
    seen = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    said = [line for line in seen.stderr.splitlines() if ":CONSOLE" in line]
    return seen.stdout, said


def measured(page: Path, *, width: int, selector: str) -> dict[str, Any]:
    """A page in a window of that width: its own width, boxes of what is selected, letter sizes."""
    frame = page.with_name("frame.html")
    frame.write_text(_FRAME.format(name=page.name, width=width, selector=json.dumps(selector)))
    document, said = page_in_a_browser(frame.as_uri(), "--allow-file-access-from-files")
    assert said == []
    found: dict[str, Any] = json.loads(re.search(r'<pre id="found">(.*?)</pre>', document)[1])
    return found
