"""The packaged catalogue: complete, consistent and marked for what is not known."""

from __future__ import annotations

import pytest

from petahour.catalog import AcceleratorType, Catalog, Confidence, Precision, load_catalog
from petahour.catalog.quantities import QUANTITIES
from petahour.model.errors import ValidationError

GIB = 1024**3


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def test_it_is_read_once() -> None:
    assert load_catalog() is load_catalog()


def test_it_cannot_be_changed_by_a_reader(catalog: Catalog) -> None:
    with pytest.raises(TypeError):
        catalog.types["cpu"] = catalog.types["t4"]  # type: ignore[index]


def test_every_type_names_a_known_vendor_and_its_source(catalog: Catalog) -> None:
    for name, accelerator in catalog.types.items():
        assert accelerator.name == name
        assert catalog.vendor(accelerator.vendor).slug == accelerator.vendor
        assert accelerator.source.strip()


@pytest.mark.parametrize(
    ("name", "vendor", "half_tflops", "memory_gib"),
    [
        ("a100-80g-sxm", "nvidia", 312, 80),
        ("a800-80g-sxm", "nvidia", 312, 80),
        ("h800-80g-sxm", "nvidia", 989.4, 80),
        ("v100-32g-sxm", "nvidia", 125, 32),
        ("ascend-910b3", "huawei", 313, 64),
        ("mtt-s4000", "moore-threads", 100, 48),
        ("br104", "biren", 512, 32),
        ("mlu370-x8", "cambricon", 96, 48),
        ("mi300x", "amd", 1307.4, 192),
    ],
)
def test_known_figures(catalog: Catalog, name: str, vendor: str, half_tflops: float, memory_gib: int) -> None:
    accelerator = catalog.get(name)
    assert accelerator.vendor == vendor
    assert accelerator.half_tflops == half_tflops
    assert accelerator.memory_bytes == memory_gib * GIB
    assert accelerator.quotable


@pytest.mark.parametrize("name", ["br106", "enflame-s60", "metax-c550"])
def test_chips_whose_compute_is_not_established_are_present_and_never_quoted(catalog: Catalog, name: str) -> None:
    accelerator = catalog.get(name)
    assert accelerator.confidence is Confidence.NOT_ESTABLISHED
    assert accelerator.half_tflops is None
    assert not accelerator.quotable


def test_a_type_without_a_16_bit_peak_or_memory_is_not_quotable(catalog: Catalog) -> None:
    assert not catalog.get("mlu290-m5").quotable
    assert not catalog.get("kunlun-p800").quotable
    assert not catalog.get("cpu").quotable


def test_a_volta_has_no_bf16(catalog: Catalog) -> None:
    v100 = catalog.get("v100-32g-sxm")
    assert (v100.value("bf16_tflops"), v100.value("fp16_tflops")) == (None, 125)


@pytest.mark.parametrize(
    ("whole", "part"),
    [("ascend-910c", "ascend-910c-die"), ("mi250x", "mi250x-gcd"), ("mlu370-x8", "mlu370-x8-chip")],
)
def test_one_device_of_a_package_is_half_of_it(catalog: Catalog, whole: str, part: str) -> None:
    package, device = catalog.get(whole), catalog.get(part)
    assert _figures(device) == tuple(figure / 2 for figure in _figures(package))


def test_an_unknown_type_is_refused_with_the_nearest_names(catalog: Catalog) -> None:
    with pytest.raises(ValidationError) as caught:
        catalog.get("a100-80-sxm")
    assert caught.value.field == "types"
    assert caught.value.value == "a100-80-sxm"
    assert "a100-80g-sxm" in caught.value.remedy


def test_part_of_a_name_is_enough_for_a_hint(catalog: Catalog) -> None:
    with pytest.raises(ValidationError) as caught:
        catalog.get("910b")
    assert "ascend-910b" in caught.value.remedy


def test_an_unknown_vendor_is_refused_with_the_nearest_slugs(catalog: Catalog) -> None:
    with pytest.raises(ValidationError) as caught:
        catalog.vendor("nvidai")
    assert "nvidia" in caught.value.remedy


def test_the_host_cpu_has_no_variable(catalog: Catalog) -> None:
    assert catalog.get("cpu").vendor == "host"
    assert catalog.vendor("host").visible_devices == ()


def test_birens_variable_is_marked_as_not_established(catalog: Catalog) -> None:
    biren = catalog.vendor("biren")
    assert biren.visible_devices == ("SUPA_VISIBLE_DEVICES",)
    assert biren.confidence is Confidence.NOT_ESTABLISHED


def test_collectives_are_told_apart_by_vendor_and_name_together(catalog: Catalog) -> None:
    huawei, gaudi = catalog.vendor("huawei"), catalog.vendor("intel")
    assert huawei.collectives == gaudi.collectives == "HCCL"
    assert huawei.library != gaudi.library
    libraries = [stack.library for stack in catalog.vendors.values()]
    assert len(set(libraries)) == len(libraries)


def test_a_launcher_learns_every_variable_to_remove(catalog: Catalog) -> None:
    variables = catalog.device_variables()
    assert {"CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ASCEND_RT_VISIBLE_DEVICES"} <= variables
    assert "CUDA_DEVICE_ORDER" not in variables


def _figures(accelerator: AcceleratorType) -> tuple[float, float, float, float]:
    figures = (
        accelerator.value("bf16_tflops"),
        accelerator.value("int8_tops"),
        accelerator.memory_bytes,
        accelerator.value("memory_bandwidth_gb_s"),
    )
    first, second, third, fourth = (figure for figure in figures if figure is not None)
    return (first, second, third, fourth)


@pytest.mark.parametrize("name", ["br106", "enflame-s60", "metax-c550", "cpu", "kunlun-p800", "ascend-910b4-1"])
def test_a_type_without_its_figures_is_refused_with_what_lacks_and_the_remedy(catalog: Catalog, name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        catalog.for_quote(name)
    for lacking in catalog.get(name).missing_for_quote:
        assert lacking in caught.value.rule
    assert "Measure a short run" in caught.value.remedy


def test_every_figure_says_where_it_is_from_and_stands_in_its_own_unit(catalog: Catalog) -> None:
    for accelerator in catalog.types.values():
        for name, figure in accelerator.figures.items():
            assert figure.source.strip(), (accelerator.name, name)
            assert figure.value <= QUANTITIES[name].most
            if name.startswith("measured_"):
                assert figure.confidence is Confidence.MEASURED, (accelerator.name, name)
            assert figure.confidence is not Confidence.NOT_ESTABLISHED, (accelerator.name, name)


def test_what_is_delivered_is_less_than_what_is_stated(catalog: Catalog) -> None:
    shares = {
        (accelerator.name, name): share
        for accelerator in catalog.types.values()
        for name, share in accelerator.efficiencies.items()
    }
    assert shares["a100-40g-sxm", "measured_bf16_tflops"] == pytest.approx(259.2 / 312)
    assert all(0.5 < share <= 1 for share in shares.values()), shares


def test_a_wider_format_is_never_faster(catalog: Catalog) -> None:
    """Halving the width never lowers a peak, and INT8 and FP8 agree where a chip has both."""
    for accelerator in catalog.types.values():
        half = accelerator.half_tflops
        fp32, tf32 = (accelerator.peak_tflops(Precision(name)) for name in ("fp32", "tf32"))
        fp8 = accelerator.peak_tflops(Precision.FP8)
        for wide, narrow in ((fp32, half), (tf32, half), (half, fp8)):
            assert wide is None or narrow is None or wide <= narrow, accelerator.name


def test_figures_that_are_often_told_wrong(catalog: Catalog) -> None:
    """BR100's 2.3 TB/s is its external I/O; Gaudi's ports that leave the node are no in-node link."""
    assert catalog.get("br100").memory_bandwidth_gb_s == pytest.approx(2 * 819, rel=0.01)
    gaudi = catalog.get("gaudi2")
    assert gaudi.link_gb_s_each_way == 21 * 100 / 8
    assert gaudi.network_gb_s == 3 * 100 / 8
    assert catalog.get("rtx-4090").peak_tflops(Precision.FP8) == pytest.approx(2 * 165.2, rel=0.01)
    assert catalog.get("ascend-910a").link_domain == 4


def test_units_of_the_link_and_the_network(catalog: Catalog) -> None:
    h800 = catalog.get("h800-80g-sxm")
    assert (h800.link_gb_s_each_way, h800.link_domain, h800.node_accelerators) == (200, 8, 8)
    assert (h800.network_gb_s, h800.power_w, h800.failures_per_day) == (50, 700, 0.00047)
