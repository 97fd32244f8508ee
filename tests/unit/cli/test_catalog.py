"""`catalog`: the packaged figures, the control plane's, and names that are not known."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.cli.conftest import Run
from tests.unit.client.answering import Answer, AnsweringServer

from petahour.catalog import load_catalog
from petahour.catalog.view import catalog_view


def test_a_list_has_every_type_and_json_every_figure(petahour: Run) -> None:
    types = petahour("catalog", "list", "--json").document["types"]  # type: ignore[index]
    assert [one["name"] for one in types] == list(load_catalog().types)
    a100 = next(one for one in types if one["name"] == "a100-80g-sxm")
    assert a100["figures"]["bf16_tflops"] == {
        "value": 312,
        "unit": "TFLOPS",
        "source": "A100 datasheet",
        "confidence": "datasheet",
    }
    assert len(petahour("catalog", "list").out.splitlines()) == len(types) + 4


def test_a_list_of_one_vendor_and_of_what_can_be_quoted(petahour: Run) -> None:
    biren = petahour("catalog", "list", "--vendor", "biren", "--quotable").out
    assert "br104" in biren
    assert "br106" not in biren
    assert petahour("catalog", "list", "--vendor", "nobody").out == "No such types.\n"


def test_a_comparison_gives_ratios_to_the_first(petahour: Run) -> None:
    rows = petahour("catalog", "compare", "a100-80g-sxm", "h800-80g-sxm", "--json").document["rows"]  # type: ignore[index]
    bf16 = next(row for row in rows if row["title"] == "Dense peak: BF16")
    assert bf16["values"] == [312, 989.4]
    assert bf16["ratios"] == [1, pytest.approx(989.4 / 312)]


def test_a_type_is_found_by_what_it_is_also_known_as(petahour: Run) -> None:
    for other in ("910B3", "ascend910b3"):
        assert petahour("catalog", "show", other).out == petahour("catalog", "show", "ascend-910b3").out


@pytest.mark.parametrize("command", ["show", "compare"])
def test_an_unknown_type_is_answered_with_near_names(petahour: Run, command: str) -> None:
    done = petahour("catalog", command, "a100-80-sxm")
    assert done.code != 0
    assert "Did you mean" in done.err
    assert "a100-80g-sxm" in done.err


def test_a_wrong_overlay_is_refused_by_file_and_field(petahour: Run, tmp_path: Path) -> None:
    wrong = tmp_path / "site.toml"
    wrong.write_text('[[type]]\nname = "a100-80g-sxm"\npower_w = -1\nsource = "s"\nconfidence = "measured"\n')
    done = petahour("catalog", "list", "--catalog", str(wrong))
    assert done.code != 0
    assert "site.toml: type[0].power_w" in done.err


def test_live_is_the_control_planes_own(petahour: Run, server: AnsweringServer, tmp_path: Path) -> None:
    overlay = tmp_path / "site.toml"
    overlay.write_text('[[type]]\nname = "t4"\npower_w = 55\nsource = "own meter"\nconfidence = "measured"\n')
    server.on("GET /v1/catalog", Answer(body=catalog_view(load_catalog(overlay))))
    shown = petahour("catalog", "show", "t4", "--live")
    assert "own meter" in shown.out
    assert "own meter" not in petahour("catalog", "show", "t4").out
