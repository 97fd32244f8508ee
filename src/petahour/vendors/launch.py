"""The environment that confines a process to the accelerators it was given."""

from __future__ import annotations

from collections.abc import Sequence

from petahour.catalog import Catalog
from petahour.model.errors import ValidationError
from petahour.vendors.readings import MOST_DEVICES


def launch_environment(
    catalog: Catalog, type_name: str, indexes: Sequence[int], isolate: bool = True
) -> dict[str, str]:
    """The variables for a process on the devices ``indexes`` of a node with accelerators of ``type_name``.

    Sets the type's own vendor's variables and no other's: the names overlap between vendors, so a launcher
    removes ``catalog.device_variables()`` from an inherited environment first. With ``isolate`` false the
    devices are not narrowed (a container already shows only the right ones) and only the vendor's constants
    remain. Empty for ``cpu``. Raises ValidationError on an unknown type or impossible indexes.
    """
    stack = catalog.vendor(catalog.get(type_name).vendor)
    _check(indexes)
    environment = dict(stack.launch)
    if isolate:
        listed = ",".join(str(index) for index in indexes)
        environment.update(dict.fromkeys(stack.visible_devices, listed))
    return environment


def _check(indexes: Sequence[int]) -> None:
    whole = all(isinstance(index, int) and not isinstance(index, bool) for index in indexes)
    if not indexes or not whole or len(set(indexes)) != len(indexes):
        rule = "distinct whole numbers, at least one"
    elif not all(0 <= index < MOST_DEVICES for index in indexes):
        rule = f"device numbers from 0 to {MOST_DEVICES - 1}"
    else:
        return
    # An empty list must never reach a variable: several stacks read an empty value as "every device".
    raise ValidationError(
        field="indexes",
        value=list(indexes)[:16],
        rule=rule,
        remedy="Name each allocated accelerator once by its number on the node.",
    )
