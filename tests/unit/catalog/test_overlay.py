"""An operator's overlay: what it may add and change, and how a wrong one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from petahour.catalog import Confidence, Figure, load_catalog
from petahour.model.errors import ValidationError

GIB = 1024**3

NEW_TYPE = """
[[type]]
name = "acme-1"
vendor = "acme"
title = "Acme One"
bf16_tflops = 50
memory_gib = 16
aliases = ["ACME ONE"]
source = "Acme's sheet of 2025"
confidence = "datasheet"
"""

NEW_VENDOR = """
[[vendor]]
slug = "acme"
title = "Acme"
visible_devices = ["ACME_VISIBLE_DEVICES"]
tool = "acme-smi"
collectives = "ACCL"
torch_package = "torch_acme"
torch_device = "acme"
source = "Acme's manual"
confidence = "datasheet"
"""


def overlay(folder: Path, text: str | bytes) -> Path:
    path = folder / "site.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refused(folder: Path, text: str | bytes) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        load_catalog(overlay(folder, text))
    assert "site.toml" in caught.value.field
    return caught.value


def test_it_adds_a_vendor_and_a_type(tmp_path: Path) -> None:
    catalog = load_catalog(overlay(tmp_path, NEW_VENDOR + NEW_TYPE))
    assert catalog.get("acme-1").memory_bytes == 16 * GIB
    assert catalog.match("acme", "Acme One", None) is catalog.get("acme-1")
    assert "a100-80g-sxm" in catalog.types
    assert "acme-1" not in load_catalog().types


def test_a_type_of_the_only_vendor_in_a_file_need_not_repeat_it(tmp_path: Path) -> None:
    text = NEW_VENDOR + NEW_TYPE.replace('vendor = "acme"\n', "")
    assert load_catalog(overlay(tmp_path, text)).get("acme-1").vendor == "acme"


def test_it_changes_only_the_fields_it_gives(tmp_path: Path) -> None:
    change = '[[type]]\nname = "br106"\nbf16_tflops = 200\nsource = "own runs"\nconfidence = "measured"\n'
    changed = load_catalog(overlay(tmp_path, NEW_VENDOR + change)).get("br106")
    assert (changed.half_tflops, changed.confidence) == (200, Confidence.MEASURED)
    assert (changed.vendor, changed.memory_bytes) == ("biren", 32 * GIB)
    assert changed.figures["bf16_tflops"] == Figure(value=200, source="own runs", confidence=Confidence.MEASURED)
    assert changed.figures["memory_gib"].source == "HAMi's device table"


def test_an_operator_may_establish_what_nobody_has(tmp_path: Path) -> None:
    figures = (
        "bf16_tflops = 200\nmemory_bandwidth_gb_s = 800\nlink_bandwidth_gb_s = 64\n"
        "node_accelerators = 8\nnetwork_gbit_s = { value = 100, source = 'site plan', confidence = 'datasheet' }\n"
    )
    change = f'[[type]]\nname = "br106"\n{figures}source = "own runs"\nconfidence = "measured"\n'
    changed = load_catalog(overlay(tmp_path, change)).for_quote("br106")
    assert changed.figures["network_gbit_s"].source == "site plan"
    assert (changed.link_gb_s_each_way, changed.link_domain, changed.network_gb_s) == (32, 8, 12.5)


def test_a_change_must_state_its_own_source(tmp_path: Path) -> None:
    error = refused(tmp_path, '[[type]]\nname = "br106"\nbf16_tflops = 200\nconfidence = "measured"\n')
    assert error.field.endswith("type[0].source")


def test_an_overlay_named_like_a_packaged_file_still_changes_it(tmp_path: Path) -> None:
    path = tmp_path / "biren.toml"
    path.write_text('[[type]]\nname = "br106"\npower_w = 1\nsource = "s"\nconfidence = "measured"\n')
    assert load_catalog(path).get("br106").power_w == 1


@pytest.mark.parametrize(
    ("text", "field", "rule"),
    [
        ("[[type]\n", "site.toml", "well-formed TOML"),
        ("x = 1" + "0" * 5000, "site.toml", "well-formed TOML"),
        ("[[gpu]]\n", "gpu", "only [[vendor]] and [[type]]"),
        ("type = 3\n", "type", "list of tables"),
        ("type = [3]\n", "type", "list of tables"),
        (NEW_TYPE, "type[0].vendor", "a vendor that has a [[vendor]] table"),
        (NEW_TYPE.replace('vendor = "acme"\n', ""), "type[0].vendor", "lower-case letters"),
        (NEW_VENDOR + NEW_TYPE.replace("acme-1", "Acme 1"), "type[0].name", "lower-case letters"),
        (NEW_VENDOR + NEW_TYPE.replace('name = "acme-1"\n', ""), "type[0].name", "lower-case letters"),
        (NEW_VENDOR + NEW_TYPE + NEW_TYPE, "type[1].name", "given once in a file"),
        (NEW_VENDOR + NEW_TYPE.replace("= 50", "= -50"), "type[0].bf16_tflops", "a number above 0"),
        (NEW_VENDOR + NEW_TYPE.replace("= 50", "= true"), "type[0].bf16_tflops", "a number above 0"),
        (NEW_VENDOR + NEW_TYPE.replace("= 50", "= nan"), "type[0].bf16_tflops", "a number above 0"),
        (NEW_VENDOR + NEW_TYPE.replace("= 50", "= inf"), "type[0].bf16_tflops", "a number above 0"),
        (NEW_VENDOR + NEW_TYPE.replace("= 50", "= 0x" + "f" * 9000), "bf16_tflops", "a number above 0"),
        (NEW_VENDOR + NEW_TYPE.replace("= 50", '= "50"'), "type[0].bf16_tflops", "a number above 0"),
        (NEW_VENDOR + NEW_TYPE.replace("= 50", "= 5e7"), "type[0].bf16_tflops", "at most 1e+06"),
        (NEW_VENDOR + NEW_TYPE.replace("= 50", "= {}"), "type[0].bf16_tflops", "a number above 0"),
        (NEW_VENDOR + NEW_TYPE.replace("= 50", "= { value = 5, from = 1 }"), "bf16_tflops.from", "a field that"),
        (
            NEW_VENDOR + NEW_TYPE.replace("= 50", "= { value = 5, confidence = 'x' }"),
            "confidence",
            "one of datasheet",
        ),
        (NEW_VENDOR + NEW_TYPE.replace("= 50", "= { value = 5, source = '' }"), "bf16_tflops.source", "not empty"),
        (NEW_VENDOR + NEW_TYPE + "node_accelerators = 7.5\n", "type[0].node_accelerators", "a whole number"),
        (NEW_VENDOR + NEW_TYPE + "topology = 'star'\n", "type[0].topology", "one of switch"),
        (NEW_VENDOR + NEW_TYPE + "released = 'soon'\n", "type[0].released", "a month"),
        (NEW_VENDOR + NEW_TYPE + "runs = 1\n", "type[0].runs", "a list of tables"),
        (NEW_VENDOR + NEW_TYPE + "runs = [{ workload = 'x', accelerators = 8, mfu = 40 }]\n", "mfu", "a part of"),
        (NEW_VENDOR + NEW_TYPE + "runs = [{ accelerators = 0 }]\n", "runs[0].accelerators", "a whole number"),
        (NEW_VENDOR + NEW_TYPE.replace('"datasheet"', '"sure"'), "confidence", "one of datasheet"),
        (NEW_VENDOR + NEW_TYPE.replace('"Acme One"', '" "'), "type[0].title", "not empty"),
        (NEW_VENDOR + NEW_TYPE.replace('["ACME ONE"]', '"ACME ONE"'), "aliases", "a list of texts"),
        (NEW_VENDOR + NEW_TYPE.replace('["ACME ONE"]', '["A", "A"]'), "aliases", "distinct texts"),
        (NEW_VENDOR + NEW_TYPE.replace("memory_gib", "memory_gb"), "memory_gb", "a field that the catalogue"),
        (NEW_VENDOR.replace("ACME_VISIBLE_DEVICES", "A=B"), "vendor[0].visible_devices", "upper case"),
        (NEW_VENDOR + "launch = { acme = 1 }\n", "vendor[0].launch.acme", "environment variable"),
        (NEW_VENDOR + "launch = 1\n", "vendor[0].launch", "a table"),
    ],
)
def test_a_wrong_overlay_names_file_field_and_rule(tmp_path: Path, text: str, field: str, rule: str) -> None:
    error = refused(tmp_path, text)
    assert error.field.endswith(field)
    assert rule in error.rule
    assert str(error)


def test_an_unknown_field_is_answered_with_the_nearest(tmp_path: Path) -> None:
    error = refused(tmp_path, NEW_VENDOR + NEW_TYPE.replace("memory_gib", "memory_gb"))
    assert "memory_gib" in error.remedy


def test_two_types_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    twin = NEW_TYPE.replace("acme-1", "acme-2")
    error = refused(tmp_path, NEW_VENDOR + NEW_TYPE + twin)
    assert "acme-1" in error.rule
    assert load_catalog(overlay(tmp_path, NEW_VENDOR + NEW_TYPE + twin.replace("= 16", "= 32")))


def test_a_file_that_is_absent_not_text_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"absent\.toml"):
        load_catalog(tmp_path / "absent.toml")
    assert refused(tmp_path, b"\xff\xfe").rule == "text in UTF-8"
    assert "at most" in refused(tmp_path, b"#" * (1024 * 1024 + 1)).rule


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: f"[[type]]\nname = '''{text}'''".encode()))
def test_any_file_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    field = "site.toml"
    try:
        load_catalog(overlay(tmp_path, content))
    except ValidationError as error:
        field = error.field
    assert "site.toml" in field
