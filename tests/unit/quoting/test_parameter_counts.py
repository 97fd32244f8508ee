"""The counts of the published models, against what their authors and their weights' indexes state."""

from __future__ import annotations

import pytest

from petahour.model.errors import ValidationError
from petahour.quoting.flops import Recompute, token_flops
from petahour.quoting.presets import preset, presets
from petahour.quoting.transformer import Experts, Transformer

EXACT = {
    "gpt-2": 124_439_808,
    "gpt-2-xl": 1_557_611_200,
    "gpt-neox-20b": 20_554_567_680,
    "pythia-1b": 1_011_781_632,
    "pythia-6.9b": 6_857_302_016,
    "opt-6.7b": 6_658_473_984,
    "bloom-7b1": 7_069_016_064,
    "bloom-176b": 176_247_271_424,
    "llama-7b": 6_738_415_616,
    "llama-13b": 13_015_864_320,
    "llama-33b": 32_528_943_616,
    "llama-65b": 65_285_660_672,
    "llama-2-70b": 68_976_648_192,
    "llama-3-8b": 8_030_261_248,
    "llama-3-70b": 70_553_706_496,
    "llama-3.1-405b": 405_853_388_800,
    "llama-3.2-1b": 1_235_814_400,
    "mistral-7b": 7_241_732_096,
    "mixtral-8x7b": 46_702_792_704,
    "mpt-7b": 6_649_286_656,
    "qwen-2-0.5b": 494_032_768,
    "qwen-2-7b": 7_615_616_512,
    "qwen-2.5-72b": 72_706_203_648,
    "qwen-3-8b": 8_190_735_360,
    "qwen-3-30b-a3b": 30_532_122_624,
    "qwen-3-235b-a22b": 235_093_634_560,
    "deepseek-v2": 235_741_434_880,
    "deepseek-v3": 671_026_419_200,
}


@pytest.mark.parametrize(("name", "parameters"), EXACT.items())
def test_counts_every_parameter_of_a_published_model(name: str, parameters: int) -> None:
    assert preset(name).parameters == parameters


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("deepseek-v3", 37),
        ("deepseek-v2", 21),
        ("mixtral-8x7b", 12.9),
        ("qwen-3-30b-a3b", 3.3),
        ("mixtral-8x22b", 39),
    ],
)
def test_counts_the_parameters_that_a_token_uses(name: str, billions: float) -> None:
    assert preset(name).active_parameters / 1e9 == pytest.approx(billions, rel=0.025)


def test_model_flops_agree_with_the_formula_of_the_megatron_paper() -> None:
    # arXiv 2104.04473, eq. 3: 96 B s l h^2 (1 + s/6h + V/16lh) with full recomputation.
    model, s = preset("megatron-145.6b"), 2048
    h, layers = model.hidden, model.layers
    published = 96 * layers * h**2 * (1 + s / (6 * h) + model.vocabulary / (16 * layers * h))
    assert token_flops(model, s, Recompute.FULL).hardware == pytest.approx(published, rel=1e-3)


def test_recomputation_adds_a_third_to_what_the_chip_does_and_nothing_to_the_model() -> None:
    plain, full = (token_flops(preset("llama-2-70b"), 4096, how) for how in (Recompute.NONE, Recompute.FULL))
    assert plain.model == plain.hardware == full.model
    assert full.hardware / full.model == pytest.approx(4 / 3, rel=0.01)
    assert plain.six_nd == 6 * 68_976_648_192


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValidationError, match=r"Did you mean .*llama-2-70b"):
        preset("llama2-70b")


def test_there_are_presets_of_every_family() -> None:
    families = {name.split("-")[0] for name in presets()}
    assert {"gpt", "megatron", "llama", "qwen", "mistral", "mixtral", "deepseek", "opt", "bloom"} <= families


def test_a_shape_that_cannot_be_is_refused_with_its_field() -> None:
    with pytest.raises(ValidationError, match=r"model\.kv_heads.*divisor"):
        Transformer(name="x", layers=1, hidden=8, heads=4, kv_heads=3, head_size=2, ffn=8, vocabulary=16)
    with pytest.raises(ValidationError, match=r"model\.experts\.per_token"):
        Transformer(
            name="x",
            layers=1,
            hidden=8,
            heads=4,
            kv_heads=4,
            head_size=2,
            ffn=8,
            vocabulary=16,
            experts=Experts(count=2, per_token=3, ffn=8),
        )
