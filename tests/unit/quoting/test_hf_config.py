"""Reading a model's shape from the config.json of its repository."""

from __future__ import annotations

import pytest

from petahour.model.errors import ValidationError
from petahour.quoting.hf_config import transformer_from_config
from petahour.quoting.presets import preset

LLAMA_3_8B = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "max_position_embeddings": 8192,
    "attention_bias": False,
    "tie_word_embeddings": False,
    "vocab_size": 128256,
}
DEEPSEEK_V3 = {
    "model_type": "deepseek_v3",
    "hidden_size": 7168,
    "intermediate_size": 18432,
    "moe_intermediate_size": 2048,
    "num_attention_heads": 128,
    "num_key_value_heads": 128,
    "num_hidden_layers": 61,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "num_experts_per_tok": 8,
    "first_k_dense_replace": 3,
    "q_lora_rank": 1536,
    "kv_lora_rank": 512,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "vocab_size": 129280,
}
QWEN_3_MOE = {
    "model_type": "qwen3_moe",
    "hidden_size": 2048,
    "intermediate_size": 6144,
    "moe_intermediate_size": 768,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "num_hidden_layers": 48,
    "num_experts": 128,
    "num_experts_per_tok": 8,
    "head_dim": 128,
    "attention_bias": False,
    "vocab_size": 151936,
}
QWEN_2 = {
    "model_type": "qwen2",
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "num_hidden_layers": 28,
    "vocab_size": 152064,
}
OPT = {
    "model_type": "opt",
    "hidden_size": 4096,
    "ffn_dim": 16384,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "max_position_embeddings": 2048,
    "vocab_size": 50272,
}
BLOOM = {"model_type": "bloom", "n_embed": 14336, "hidden_size": 14336, "n_layer": 70, "num_attention_heads": 112}
FALCON = {
    "model_type": "falcon",
    "hidden_size": 4544,
    "num_attention_heads": 71,
    "num_hidden_layers": 32,
    "multi_query": True,
    "vocab_size": 65024,
}
MPT = {"model_type": "mpt", "d_model": 4096, "n_heads": 32, "n_layers": 32, "expansion_ratio": 4, "vocab_size": 50432}


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (LLAMA_3_8B, "llama-3-8b"),
        (DEEPSEEK_V3, "deepseek-v3"),
        (QWEN_3_MOE, "qwen-3-30b-a3b"),
        (QWEN_2, "qwen-2-7b"),
        (OPT, "opt-6.7b"),
        ({**BLOOM, "vocab_size": 250880}, "bloom-176b"),
        (FALCON, "falcon-7b"),
        (MPT, "mpt-7b"),
    ],
)
def test_a_config_gives_the_parameters_of_the_published_model(config: dict[str, object], name: str) -> None:
    read = transformer_from_config(config)
    assert (read.parameters, read.active_parameters) == (preset(name).parameters, preset(name).active_parameters)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"model_type": "resnet", "num_channels": 3}, "config.model_type: a transformer decoder of a known kind"),
        ({}, "config.model_type"),
        ({**LLAMA_3_8B, "hidden_size": None}, "config.hidden_size: given and above zero"),
        ({**LLAMA_3_8B, "num_hidden_layers": "32"}, "config.num_hidden_layers: a whole number"),
        ({**LLAMA_3_8B, "hidden_size": True}, "config.hidden_size: a whole number"),
        ({**LLAMA_3_8B, "num_attention_heads": 33}, "config.num_attention_heads: a divisor"),
        ({**LLAMA_3_8B, "num_key_value_heads": 5}, "model.kv_heads: a divisor of the 32 heads"),
    ],
)
def test_a_config_that_is_no_transformer_is_refused_with_the_key(config: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        transformer_from_config(config)
    assert says in str(refused.value)
