"""Each parser on recorded samples, on broken output and on arbitrary text."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petahour.model.errors import ValidationError
from petahour.vendors import Device, amd, ascend, biren, cambricon, moore_threads

MIB = 1024**2
SAMPLES = Path(__file__).parent / "samples"

Parse = Callable[[str], tuple[Device, ...]]
PARSERS: tuple[Parse, ...] = (ascend.parse, moore_threads.parse, biren.parse, cambricon.parse, amd.parse)
READERS: dict[str, Parse] = {
    "ascend": ascend.parse,
    "moore-threads": moore_threads.parse,
    "biren": biren.parse,
    "cambricon": cambricon.parse,
    "amd": amd.parse,
}
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in SAMPLES.iterdir() if path.suffix != ".toml"}


def test_every_sample_says_where_it_comes_from() -> None:
    provenance = tomllib.loads((SAMPLES / "provenance.toml").read_text())
    assert set(provenance) == set(TEXTS)
    assert {entry["origin"] for entry in provenance.values()} <= {"captured", "written from documents"}


def test_ascend_cards_of_one_chip_count_from_zero_whatever_their_card_number() -> None:
    assert ascend.parse(TEXTS["ascend-910b3.txt"]) == (
        _ascend(0, temperature_c=41, power_w=93.4, load=0),
        _ascend(1, temperature_c=58, power_w=311.0, load=87),
        _ascend(2, temperature_c=40, power_w=90.2, load=0, healthy=False),
    )


def test_ascend_cards_of_two_chips_are_two_devices() -> None:
    assert ascend.parse(TEXTS["ascend-910c.txt"]) == (
        _ascend(0, name="Ascend910", temperature_c=37, power_w=171.8, load=0),
        _ascend(1, name="Ascend910", temperature_c=38, power_w=None, load=2),
    )


def test_moore_threads() -> None:
    assert moore_threads.parse(TEXTS["moore-threads-s4000.txt"]) == (
        _moore_threads(0, temperature_c=44, load=0),
        _moore_threads(1, temperature_c=71, load=97),
    )


def test_biren_with_and_without_units() -> None:
    expected = tuple(
        Device(vendor="biren", index=index, product_name="Biren104P", memory_bytes=32768 * MIB) for index in (0, 1)
    )
    plain = TEXTS["biren-104.txt"]
    assert biren.parse(plain) == expected
    assert biren.parse(plain.replace("\n", " MiB\n")) == expected
    assert biren.parse("") == ()


def test_biren_memory_that_is_not_reported_is_unknown() -> None:
    assert biren.parse("0, Biren106M, N/A, N/A")[0].memory_bytes is None
    assert biren.parse("0, Biren106M, 32768, 0")[0].memory_bytes == 32768 * MIB


def test_cambricon_with_an_uncorrected_memory_error() -> None:
    first, second = cambricon.parse(TEXTS["cambricon-mlu370.txt"])
    assert first == Device(
        vendor="cambricon",
        index=0,
        product_name="MLU370-X8",
        memory_bytes=23374 * MIB,
        temperature_c=31,
        power_w=104,
        utilisation_percent=0,
    )
    assert (second.index, second.healthy, second.power_w, second.utilisation_percent) == (1, False, 219, 93)


def test_cambricon_of_an_older_release() -> None:
    (only,) = cambricon.parse(TEXTS["cambricon-mlu370-old.txt"])
    assert (only.memory_bytes, only.healthy, only.temperature_c) == (23308 * MIB, True, 33)


def test_cambricon_with_memory_masked() -> None:
    (first, _) = cambricon.parse(TEXTS["cambricon-mlu370.txt"].replace("23374", "xxxxx"))
    assert first.memory_bytes is None


def test_amd_joins_description_and_readings() -> None:
    both = TEXTS["amd-mi300x-static.json"] + "\n" + TEXTS["amd-mi300x-metric.json"]
    first, second = amd.parse(both)
    assert first == Device(
        vendor="amd",
        index=0,
        product_name="AMD Instinct MI300X",
        memory_bytes=196592 * MIB,
        uuid="0x0123456789ABCDEF",
        temperature_c=67,
        power_w=512,
        utilisation_percent=64,
    )
    assert (second.uuid, second.power_w, second.temperature_c) == (None, None, None)


def test_amd_without_readings_and_readings_without_description() -> None:
    assert len(amd.parse(TEXTS["amd-mi300x-static.json"])) == 2
    assert amd.parse(TEXTS["amd-mi300x-metric.json"]) == ()


def test_amd_of_a_newer_release() -> None:
    devices = amd.parse(TEXTS["amd-mi250x-static.json"])
    assert [(device.index, device.memory_bytes) for device in devices] == [(0, 65520 * MIB), (1, 65520 * MIB)]


@pytest.mark.parametrize("parse", [ascend.parse, moore_threads.parse, cambricon.parse])
def test_a_table_without_its_heading_is_refused(parse: Parse) -> None:
    with pytest.raises(ValidationError, match="heading"):
        parse("Segmentation fault")


@pytest.mark.parametrize("text", ["no devices", "0, Biren104P", "x, Biren104P, 1, 2", "0, , 1, 2", "9999, B, 1, 2"])
def test_rows_of_another_shape_are_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="brsmi"):
        biren.parse(text)


@pytest.mark.parametrize(
    "text",
    ["{", "3", '{"a": 1}', '{"gpu_data": 3}', "[3]", '[{"gpu": "0"}]', '[{"gpu": -1}]', "[" * 100_000, "[1e"],
)
def test_json_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="amd-smi"):
        amd.parse(text)


def test_absurd_json_readings_are_unknown() -> None:
    sections = {
        "asic": {"market_name": 3},
        "vram": {"size": float("inf")},
        "power": {"socket_power": 10**400},
    }
    (device,) = amd.parse(json.dumps([{"gpu": 0, **sections, "usage": 7, "temperature": {"edge": True}}]))
    assert device == Device(vendor="amd", index=0, product_name="")


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=400), parse=st.sampled_from(PARSERS))
def test_arbitrary_text_is_parsed_or_refused(text: str, parse: Parse) -> None:
    _parsed_or_refused(parse, text)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(TEXTS)))
def test_a_damaged_sample_is_parsed_or_refused(data: st.DataObject, name: str) -> None:
    parse = next((parse for prefix, parse in READERS.items() if name.startswith(prefix)), amd.parse)
    text = TEXTS[name]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 300)))
    filler = data.draw(st.text(alphabet='0123456789 |/%.,:-ACMWiBN\n[]{}"e', max_size=60) | st.text(max_size=20))
    _parsed_or_refused(parse, text[:start] + filler + text[end:])


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["gpu", "gpu_data", "asic", "vram", "size", "value", "market_name", "power"]),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_arbitrary_json_is_parsed_or_refused(document: object) -> None:
    _parsed_or_refused(amd.parse, json.dumps(document))


def _parsed_or_refused(parse: Parse, text: str) -> None:
    try:
        devices = parse(text)
    except ValidationError:
        return
    for device in devices:
        assert 0 <= device.index < 1024
        assert device.memory_bytes is None or device.memory_bytes > 0


def _ascend(
    index: int,
    *,
    temperature_c: float,
    power_w: float | None,
    load: float,
    name: str = "910B3",
    healthy: bool = True,
) -> Device:
    return Device(
        vendor="huawei",
        index=index,
        product_name=name,
        memory_bytes=65536 * MIB,
        healthy=healthy,
        temperature_c=temperature_c,
        power_w=power_w,
        utilisation_percent=load,
    )


def _moore_threads(index: int, *, temperature_c: float, load: float) -> Device:
    return Device(
        vendor="moore-threads",
        index=index,
        product_name="MTT S4000",
        memory_bytes=49152 * MIB,
        temperature_c=temperature_c,
        utilisation_percent=load,
    )
