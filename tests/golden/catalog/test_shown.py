"""What `petahour catalog` prints, against golden files: an operator reads figures, so a change of one is seen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent
CATALOG = [sys.executable, "-m", "petahour.cli.main", "catalog"]
OVERLAY = """
[[type]]
name = "br106"
bf16_tflops = 190
memory_bandwidth_gb_s = { value = 800, source = "stream of March", confidence = "measured" }
link_bandwidth_gb_s = 64
node_accelerators = 8
network_gbit_s = 100
source = "own runs"
confidence = "measured"
"""


def shown(*arguments: str) -> str:
    done = subprocess.run([*CATALOG, *arguments], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    ("file", "arguments"),
    [
        ("list-huawei.txt", ("list", "--vendor", "huawei")),
        ("show-910b2.txt", ("show", "ascend-910b2")),
        ("show-br106.txt", ("show", "br106")),
        ("compare.txt", ("compare", "a100-80g-sxm", "h800-80g-sxm", "ascend-910b3", "mtt-s4000", "br106")),
    ],
)
def test_it_prints_what_the_golden_file_says(file: str, arguments: tuple[str, ...]) -> None:
    assert shown(*arguments) == (GOLDEN / file).read_text("utf-8")


def test_an_operators_overlay_shows_its_own_sources(tmp_path: Path) -> None:
    overlay = tmp_path / "site.toml"
    overlay.write_text(OVERLAY, "utf-8")
    assert shown("show", "br106", "--catalog", str(overlay)) == (GOLDEN / "show-overlay.txt").read_text("utf-8")
