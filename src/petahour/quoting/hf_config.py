"""Reads the shape of a transformer from a Hugging Face ``config.json``, given as a parsed mapping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from petahour.model.errors import ValidationError
from petahour.quoting.transformer import Experts, LatentAttention, Transformer

_Config = Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Family:
    """What a model type implies that its config.json does not say."""

    gated: bool = True
    tied: bool = False
    norm_vectors: int = 1
    norms: int = 2
    biases: bool = False
    qkv_bias: bool = False
    head_norm: bool = False
    learned_positions: bool = False
    extra_positions: int = 0
    embedding_norm: bool = False


_FAMILIES: Mapping[str, _Family] = {
    "llama": _Family(),
    "mistral": _Family(),
    "mixtral": _Family(),
    "phi3": _Family(),
    "olmo2": _Family(),
    "internlm2": _Family(),
    "baichuan": _Family(),
    "qwen2": _Family(qkv_bias=True),
    "qwen2_moe": _Family(qkv_bias=True),
    "qwen3": _Family(head_norm=True),
    "qwen3_moe": _Family(head_norm=True),
    "gemma": _Family(tied=True),
    "gemma2": _Family(tied=True, norms=4),
    "deepseek_v2": _Family(),
    "deepseek_v3": _Family(),
    "gpt2": _Family(gated=False, tied=True, norm_vectors=2, biases=True, learned_positions=True),
    "gpt_bigcode": _Family(gated=False, tied=True, norm_vectors=2, biases=True, learned_positions=True),
    # OPT keeps two position vectors more than it has positions.
    "opt": _Family(gated=False, tied=True, norm_vectors=2, biases=True, learned_positions=True, extra_positions=2),
    "bloom": _Family(gated=False, tied=True, norm_vectors=2, biases=True, embedding_norm=True),
    "gpt_neox": _Family(gated=False, norm_vectors=2, biases=True),
    "mpt": _Family(gated=False, tied=True),
    "falcon": _Family(gated=False, tied=True, norm_vectors=2, norms=1),
}


def transformer_from_config(config: _Config, *, name: str | None = None) -> Transformer:
    """The shape that a config.json states.

    Raises ValidationError naming the key when the model type is not a transformer decoder that is known, or a
    needed key is missing or no whole number.
    """
    model_type = config.get("model_type")
    family = _FAMILIES.get(model_type) if isinstance(model_type, str) else None
    if family is None:
        raise ValidationError(
            field="config.model_type",
            value=model_type,
            rule="a transformer decoder of a known kind",
            remedy=f"Known kinds: {', '.join(sorted(_FAMILIES))}; for another, name the one it is built like.",
        )
    hidden = _whole(config, "hidden_size", "n_embd", "d_model")
    heads = _whole(config, "num_attention_heads", "n_head", "n_heads")
    shape = _attention(config, str(model_type), hidden, heads)
    return Transformer(
        name=name or str(config.get("_name_or_path") or model_type),
        layers=_whole(config, "num_hidden_layers", "n_layer", "n_layers"),
        hidden=hidden,
        heads=heads,
        kv_heads=shape[0],
        head_size=shape[1],
        ffn=_inner(config, hidden),
        vocabulary=_whole(config, "vocab_size"),
        gated=family.gated,
        tied_embeddings=_flag(config, "tie_word_embeddings", family.tied),
        positions=_positions(config, family),
        norms=_norms(config, family),
        norm_vectors=family.norm_vectors,
        embedding_norm=family.embedding_norm,
        head_norm=family.head_norm,
        qkv_bias=_flag(config, "attention_bias", family.biases or family.qkv_bias),
        output_bias=_flag(config, "attention_bias", family.biases),
        ffn_bias=_flag(config, "mlp_bias", family.biases),
        default_sequence=_sequence(config),
        experts=_experts(config, str(model_type)),
        latent=_latent(config),
    )


def _attention(config: _Config, model_type: str, hidden: int, heads: int) -> tuple[int, int]:
    """(key-value heads, head size)."""
    nested = config.get("attn_config")
    kv_heads = _optional(config, "num_key_value_heads", "num_kv_heads")
    if kv_heads is None and isinstance(nested, Mapping):
        kv_heads = _optional(nested, "kv_n_heads")
    if _flag(config, "multi_query", False) and not _flag(config, "new_decoder_architecture", False):
        kv_heads = 1
    size = _optional(config, "head_dim")
    if size is None and hidden % heads:
        raise ValidationError(
            field="config.num_attention_heads",
            value=heads,
            rule=f"a divisor of the hidden size {hidden}, as no head_dim is given",
            remedy=f"Correct the {model_type} config.",
        )
    return kv_heads or heads, size or hidden // heads


def _inner(config: _Config, hidden: int) -> int:
    given = _optional(config, "intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size")
    ratio = _optional(config, "expansion_ratio") or 4
    return given or ratio * hidden


def _positions(config: _Config, family: _Family) -> int:
    if not family.learned_positions:
        return 0
    return _whole(config, "max_position_embeddings", "n_positions", "n_ctx") + family.extra_positions


def _norms(config: _Config, family: _Family) -> int:
    # Falcon's newer decoder has one norm before attention and one before the feed-forward part.
    return 2 if _flag(config, "new_decoder_architecture", False) else family.norms


def _sequence(config: _Config) -> int:
    return _optional(config, "max_position_embeddings", "n_positions", "max_seq_len", "seq_length") or 2048


def _experts(config: _Config, model_type: str) -> Experts | None:
    count = _optional(config, "num_local_experts", "num_experts", "n_routed_experts")
    if count is None:
        return None
    inner = _optional(config, "moe_intermediate_size") or _whole(config, "intermediate_size")
    shared = _optional(config, "shared_expert_intermediate_size") or 0
    shared += (_optional(config, "n_shared_experts") or 0) * inner
    return Experts(
        count=count,
        per_token=_whole(config, "num_experts_per_tok", "top_k"),
        ffn=inner,
        shared_ffn=shared,
        dense_layers=_optional(config, "first_k_dense_replace") or 0,
        shared_gate=model_type == "qwen2_moe",
        router_bias=model_type == "deepseek_v3",
    )


def _latent(config: _Config) -> LatentAttention | None:
    rank = _optional(config, "kv_lora_rank")
    if rank is None:
        return None
    return LatentAttention(
        query_rank=_optional(config, "q_lora_rank") or 0,
        kv_rank=rank,
        content_size=_whole(config, "qk_nope_head_dim"),
        position_size=_whole(config, "qk_rope_head_dim"),
        value_size=_whole(config, "v_head_dim"),
    )


def _optional(config: _Config, *keys: str) -> int | None:
    for key in keys:
        value = config.get(key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ValidationError(
                field=f"config.{key}", value=value, rule="a whole number, not negative", remedy="Correct the config."
            )
        return value
    return None


def _whole(config: _Config, *keys: str) -> int:
    value = _optional(config, *keys)
    if not value:
        raise ValidationError(
            field=f"config.{keys[0]}",
            value=value,
            rule="given and above zero",
            remedy="This does not describe a transformer whole; take the config.json of the model's repository.",
        )
    return value


def _flag(config: _Config, key: str, unless_given: bool) -> bool:
    value = config.get(key)
    return value if isinstance(value, bool) else unless_given
