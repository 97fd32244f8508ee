"""The environment that confines a rank to its accelerators."""

from __future__ import annotations

import pytest

from petahour.catalog import load_catalog
from petahour.model.errors import ValidationError
from petahour.vendors import launch_environment


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a100-80g-sxm", {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "0,3"}),
        ("ascend-910b3", {"ASCEND_RT_VISIBLE_DEVICES": "0,3"}),
        ("mtt-s4000", {"MUSA_VISIBLE_DEVICES": "0,3"}),
        ("br104", {"SUPA_VISIBLE_DEVICES": "0,3"}),
        ("mlu370-x8", {"MLU_VISIBLE_DEVICES": "0,3"}),
        # ROCR_VISIBLE_DEVICES besides would renumber what HIP sees and hide every device.
        ("mi300x", {"HIP_VISIBLE_DEVICES": "0,3"}),
        ("cpu", {}),
    ],
)
def test_the_vendor_s_own_variables_and_no_other(name: str, expected: dict[str, str]) -> None:
    assert launch_environment(load_catalog(), name, [0, 3]) == expected


def test_every_type_with_devices_is_confined() -> None:
    catalog = load_catalog()
    for name, accelerator in catalog.types.items():
        environment = launch_environment(catalog, name, [5])
        assert ("5" in environment.values()) == (accelerator.vendor != "host")
        assert set(environment) - {"CUDA_DEVICE_ORDER"} <= catalog.device_variables()


def test_indexes_keep_their_order() -> None:
    environment = launch_environment(load_catalog(), "ascend-910b3", (7, 0))
    assert environment == {"ASCEND_RT_VISIBLE_DEVICES": "7,0"}


def test_without_isolation_only_constants_remain() -> None:
    catalog = load_catalog()
    assert launch_environment(catalog, "t4", [0], isolate=False) == {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    assert launch_environment(catalog, "mtt-s4000", [0], isolate=False) == {}


def test_the_catalogue_is_not_changed_by_the_caller() -> None:
    launch_environment(load_catalog(), "t4", [0])["CUDA_DEVICE_ORDER"] = "x"
    assert launch_environment(load_catalog(), "t4", [0])["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"


@pytest.mark.parametrize("indexes", [[], [0, 0], [-1], [4096], [True], ["0"], [0.5]])
def test_impossible_indexes_are_refused(indexes: list[int]) -> None:
    with pytest.raises(ValidationError) as caught:
        launch_environment(load_catalog(), "t4", indexes)
    assert caught.value.field == "indexes"


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(ValidationError) as caught:
        launch_environment(load_catalog(), "a100-80-sxm", [0])
    assert caught.value.field == "types"
