"""The style sheet of the console is several files, which are sent as one."""

from __future__ import annotations

import re

from admin.console.static_files import FOLDER, names, static_file


def test_the_files_of_the_style_sheet_are_sent_as_one() -> None:
    assert [name for name in names() if name.endswith(".css") and "/" not in name] == ["console.css"]
    sent = static_file("console.css").data.decode()
    for path in FOLDER.glob("*.css"):
        selectors = re.findall(r"^ *(\.[a-z-]+) \{", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert selectors, path.name
        assert all(f"{selector}{{" in sent for selector in selectors), path.name
