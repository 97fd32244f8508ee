"""The command line reference is what the commands say of themselves (`make docs` writes it)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"


def test_the_command_line_reference_is_current() -> None:
    command = [sys.executable, "-m", "typer", "petahour.cli.main", "utils", "docs", "--name", "petahour"]
    # Otherwise the help on completion depends on the shell that runs the test.
    environment = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (DOCS / "reference" / "command-line.md").read_text("utf-8").strip()


def test_links_between_pages_lead_somewhere() -> None:
    for page in [DOCS.parent / "README.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"
