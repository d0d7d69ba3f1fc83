"""A page in headless Chromium."""

import re
import shutil
import subprocess
from pathlib import Path

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SAY = """<script>addEventListener("load", () => {
const missing = [...document.images].filter(image => !image.naturalWidth).length;
const over = document.documentElement.scrollWidth - innerWidth;
document.title = ["SAID", document.images.length, missing, over, document.links.length].join(" "); });</script>"""


def run_chromium(page: Path, folder: Path, *flags: str) -> str:
    """What headless Chromium prints of a page; its profile lies in `folder`."""
    profile = f"--user-data-dir={folder / 'chromium'}"
    line = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", profile, *flags, page.as_uri()]
    return subprocess.run(line, capture_output=True, text=True, timeout=120, check=True).stdout


def look(path: Path, width: int, tmp_path: Path) -> list[int]:
    """[pictures, of those missing, pixels wider than the window, links] of a page in headless Chromium."""
    copy = path.with_name("looked-at.html")
    copy.write_text(path.read_text().replace('loading="lazy"', "") + SAY)
    html = run_chromium(copy, tmp_path, "--virtual-time-budget=20000", f"--window-size={width},900", "--dump-dom")
    copy.unlink()
    return [int(number) for number in re.search(r"<title>SAID ([\d -]+)</title>", html)[1].split()]
