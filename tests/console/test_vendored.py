"""Third-party files are as they were published, the font with fewer weights; their licenses are served with them."""

from __future__ import annotations

import hashlib
from pathlib import Path

VENDOR = Path(__file__).parents[2] / "admin" / "console" / "static" / "vendor"
AXE = Path(__file__).parents[1] / "support" / "axe" / "axe.min.js"

# SHA-256 of the files as they are in the packages of npm: htmx.org 4.0.1, uplot 1.6.32, geist 5.3.0, axe-core 4.14.1.
PUBLISHED = {
    "geist-latin-400-650.woff2": "1eaf0c5fa8d934cfbf6ab18c8fbbbb688006fc4fa421bb36bf618e07665877f9",  # LICENSES.txt
    "htmx.min.js": "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
    "hx-csp.min.js": "a7e1e6711ae6c3e50ad300fba7936cbe8d07599cdae313414a179ddd6b26e143",
    "hx-sse.min.js": "18ef2761356ec1fe0bb6d92612315b37517a7c1e9856b661c5ae81fef239d103",
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}
AXE_DIGEST = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_vendored_files_are_those_that_were_published() -> None:
    found = {path.name: digest(path) for path in VENDOR.iterdir() if path.name != "LICENSES.txt"}
    assert found == PUBLISHED
    assert digest(AXE) == AXE_DIGEST


def test_the_licenses_are_there() -> None:
    text = (VENDOR / "LICENSES.txt").read_text(encoding="utf-8")
    for name in ("htmx 4.0.1", "uPlot 1.6.32", "Geist", "Lucide"):
        assert name in text
    assert (AXE.parent / "LICENSE.txt").is_file()
