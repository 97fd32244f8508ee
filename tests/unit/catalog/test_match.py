"""From what a vendor's tool reports to a type of the catalogue."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petahour.catalog import load_catalog

MIB = 1024**2
GIB = 1024**3


@pytest.mark.parametrize(
    ("vendor", "product", "memory_mib", "expected"),
    [
        ("nvidia", "NVIDIA A100-SXM4-80GB", 81920, "a100-80g-sxm"),
        ("nvidia", "NVIDIA A100-SXM4-40GB", 40960, "a100-40g-sxm"),
        ("nvidia", "Tesla T4", 15360, "t4"),
        ("nvidia", "NVIDIA H200", 143771, "h200-sxm"),
        ("nvidia", "nvidia h100 80gb hbm3", 81559, "h100-80g-sxm"),
        ("nvidia", "NVIDIA GeForce RTX 4090", 24564, "rtx-4090"),
        ("nvidia", "NVIDIA GeForce RTX 4090 D", 24564, "rtx-4090d"),
        ("huawei", "910B3", 65536, "ascend-910b3"),
        ("huawei", "910B4", 32768, "ascend-910b4"),
        ("huawei", "910B4-1", 65536, "ascend-910b4-1"),
        ("huawei", "Ascend910", 65536, "ascend-910c-die"),
        ("huawei", "Ascend910", 32768, "ascend-910a"),
        ("moore-threads", "MTT S4000", 49152, "mtt-s4000"),
        ("cambricon", "MLU370-X8", 23374, "mlu370-x8-chip"),
        ("cambricon", "MLU370-X8", 48000, "mlu370-x8"),
        ("amd", "AMD Instinct MI300X", 196592, "mi300x"),
        ("amd", "AMD Instinct MI250X", 65520, "mi250x-gcd"),
        ("biren", "Biren104P", 32768, "br104"),
    ],
)
def test_reported_names(vendor: str, product: str, memory_mib: int, expected: str) -> None:
    found = load_catalog().match(vendor, product, memory_mib * MIB)
    assert found is not None
    assert found.name == expected


def test_a_name_alone_is_enough_when_it_is_unique() -> None:
    found = load_catalog().match("moore-threads", "MTT S4000", None)
    assert found is not None
    assert found.name == "mtt-s4000"


def test_a_shared_name_without_memory_is_not_guessed() -> None:
    assert load_catalog().match("huawei", "Ascend910", None) is None


def test_another_vendor_s_device_of_that_name_does_not_match() -> None:
    assert load_catalog().match("moore-threads", "NVIDIA L40", 48 * GIB) is None


def test_a_device_with_other_memory_is_another_product() -> None:
    assert load_catalog().match("nvidia", "NVIDIA GeForce RTX 4090", 48 * GIB) is None
    assert load_catalog().match("nvidia", "NVIDIA A100-SXM4-80GB", 10 * GIB) is None


def test_an_unknown_product_does_not_match() -> None:
    assert load_catalog().match("nvidia", "NVIDIA A1000", 80 * GIB) is None
    assert load_catalog().match("nvidia", "", None) is None


def test_every_alias_with_its_nominal_memory_finds_its_own_type() -> None:
    catalog = load_catalog()
    for accelerator in catalog.types.values():
        for alias in accelerator.aliases:
            assert catalog.match(accelerator.vendor, alias, accelerator.memory_bytes) is accelerator


@given(
    vendor=st.sampled_from(["nvidia", "huawei", "", "x"]),
    product=st.text(max_size=40),
    memory_bytes=st.none() | st.integers(min_value=-1, max_value=2**60),
)
def test_it_answers_for_any_report(vendor: str, product: str, memory_bytes: int | None) -> None:
    found = load_catalog().match(vendor, product, memory_bytes)
    assert found is None or found.vendor == vendor
