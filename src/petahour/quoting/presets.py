"""Published models by name: packaged TOML files, one per family, each a list of ``[[model]]`` tables."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from types import MappingProxyType

from petahour.model.errors import ValidationError
from petahour.quoting.transformer import Experts, LatentAttention, Transformer


def preset(name: str) -> Transformer:
    """The published model of that name. Raises ValidationError naming the nearest known names."""
    found = presets().get(name)
    if found is None:
        close = difflib.get_close_matches(name[:100].lower(), presets(), n=4, cutoff=0.5)
        remedy = f"Did you mean {', '.join(close)}?" if close else f"Known models: {', '.join(presets())}."
        raise ValidationError(field="model", value=name, rule="a model that is known by name", remedy=remedy)
    return found


@lru_cache(maxsize=1)
def presets() -> Mapping[str, Transformer]:
    """Every published model, by name in order."""
    folder = resources.files("petahour.quoting") / "data" / "models"
    found: dict[str, Transformer] = {}
    for file in folder.iterdir():
        if file.name.endswith(".toml"):
            for table in tomllib.loads(file.read_text(encoding="utf-8"))["model"]:
                model = _read(table)
                found[model.name] = model
    return MappingProxyType(dict(sorted(found.items())))


def _read(table: Mapping[str, object]) -> Transformer:
    """A table has the fields of Transformer; key-value heads, head size and FFN default as is usual."""
    fields = dict(table)
    experts, latent = fields.pop("experts", None), fields.pop("latent", None)
    heads, hidden = fields["heads"], fields["hidden"]
    fields.setdefault("kv_heads", heads)
    fields.setdefault("head_size", hidden // heads)  # type: ignore[operator]
    fields.setdefault("ffn", 4 * hidden)  # type: ignore[operator]
    fields["experts"] = Experts(**experts) if isinstance(experts, dict) else None
    fields["latent"] = LatentAttention(**latent) if isinstance(latent, dict) else None
    return Transformer(**fields)  # type: ignore[arg-type]
