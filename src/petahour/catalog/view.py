"""A type of the catalogue as what JSON knows: the one form that the API answers with and the command line shows."""

from __future__ import annotations

from petahour.catalog.catalog import Catalog
from petahour.catalog.facts import AcceleratorType, VendorStack
from petahour.catalog.quantities import QUANTITIES
from petahour.model.errors import ValidationError

View = dict[str, object]


def catalog_view(catalog: Catalog) -> View:
    """Every type by name, and every vendor's stack by slug."""
    return {
        "types": [type_view(catalog, accelerator) for accelerator in catalog.types.values()],
        "vendors": [vendor_view(stack) for stack in catalog.vendors.values()],
    }


def type_view(catalog: Catalog, accelerator: AcceleratorType) -> View:
    """One type: its figures with unit, source and confidence each, its vendor's stack, and why it is not quoted."""
    return {
        "name": accelerator.name,
        "vendor": accelerator.vendor,
        "title": accelerator.title,
        "figures": {
            name: {
                "value": figure.value,
                "unit": QUANTITIES[name].unit,
                "source": figure.source,
                "confidence": figure.confidence.value,
            }
            for name, figure in accelerator.figures.items()
        },
        "link": accelerator.link,
        "topology": None if accelerator.topology is None else accelerator.topology.value,
        "network": accelerator.network,
        "process": accelerator.process,
        "released": accelerator.released,
        "efficiencies": dict(accelerator.efficiencies),
        "runs": [
            {
                "workload": run.workload,
                "accelerators": run.accelerators,
                "mfu": run.mfu,
                "source": run.source,
                "confidence": run.confidence.value,
            }
            for run in accelerator.runs
        ],
        "notes": list(accelerator.notes),
        "source": accelerator.source,
        "confidence": accelerator.confidence.value,
        "aliases": list(accelerator.aliases),
        "quotable": accelerator.quotable,
        "not_quoted": _refusal(catalog, accelerator),
        "stack": vendor_view(catalog.vendor(accelerator.vendor)),
    }


def vendor_view(stack: VendorStack) -> View:
    """One vendor's software stack."""
    return {
        "slug": stack.slug,
        "title": stack.title,
        "visible_devices": list(stack.visible_devices),
        "also_reads": list(stack.also_reads),
        "container_variables": list(stack.container_variables),
        "device_nodes": list(stack.device_nodes),
        "resources": list(stack.resources),
        "tool": stack.tool,
        "collectives": stack.collectives,
        "torch_package": stack.torch_package,
        "torch_device": stack.torch_device,
        "source": stack.source,
        "confidence": stack.confidence.value,
        "launch": dict(stack.launch),
    }


def _refusal(catalog: Catalog, accelerator: AcceleratorType) -> str | None:
    try:
        catalog.for_quote(accelerator.name)
    except ValidationError as error:
        return f"{error.rule}. {error.remedy}"
    return None
