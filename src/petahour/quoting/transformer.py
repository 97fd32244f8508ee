"""A transformer as its published shape states it, and the exact counts that follow from it."""

from __future__ import annotations

from dataclasses import dataclass

from petahour.model.errors import ValidationError

LARGEST_FIGURE = 10**9


@dataclass(frozen=True, kw_only=True, slots=True)
class LatentAttention:
    """Low-rank attention (DeepSeek): ranks of the compressed query and key-value, and sizes per head.

    ``query_rank`` 0 means the query is not compressed. ``position_size`` is the rotary part of a key, shared by
    all heads; ``content_size`` the rest of it; ``value_size`` a value's.
    """

    query_rank: int
    kv_rank: int
    content_size: int
    position_size: int
    value_size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Experts:
    """The mixture-of-experts part. Prevents counting ``ffn`` of a dense layer as that of an expert.

    Each of the last ``layers`` - ``dense_layers`` layers has ``count`` routed experts of inner size ``ffn``, of
    which a token uses ``per_token``, and ``shared_ffn`` inner size that every token uses (0 for none).
    """

    count: int
    per_token: int
    ffn: int
    shared_ffn: int = 0
    dense_layers: int = 0
    shared_gate: bool = False
    router_bias: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Transformer:
    """The shape of a decoder-only transformer. Prevents guessing parameters from a marketing size.

    ``positions`` is the number of learned position vectors (0 for rotary or ALiBi positions), ``norm_vectors``
    the vectors of size ``hidden`` in one norm (2 with a bias) and ``norms`` their number per layer. ``ffn`` is the
    inner size of a dense layer; ``gated`` has a third matrix (SwiGLU). ``default_sequence`` is the length that the
    model was trained with, for when a job says nothing.
    """

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    ffn: int
    vocabulary: int
    gated: bool = True
    tied_embeddings: bool = False
    positions: int = 0
    norms: int = 2
    norm_vectors: int = 1
    final_norm: bool = True
    embedding_norm: bool = False
    head_norm: bool = False
    qkv_bias: bool = False
    output_bias: bool = False
    ffn_bias: bool = False
    default_sequence: int = 2048
    experts: Experts | None = None
    latent: LatentAttention | None = None

    def __post_init__(self) -> None:
        for field in ("layers", "hidden", "heads", "kv_heads", "head_size", "ffn", "vocabulary", "default_sequence"):
            _positive(f"model.{field}", getattr(self, field))
        if self.heads % self.kv_heads:
            raise ValidationError(
                field="model.kv_heads",
                value=self.kv_heads,
                rule=f"a divisor of the {self.heads} heads",
                remedy="Give as many key-value heads as heads, or a divisor of them.",
            )
        if self.experts is not None:
            _check_experts(self.experts, self.layers)

    @property
    def moe_layers(self) -> int:
        """Layers that have experts."""
        return 0 if self.experts is None else self.layers - self.experts.dense_layers

    @property
    def attention_parameters(self) -> int:
        """Parameters of one layer's attention without its norm."""
        if self.latent is not None:
            return _latent_parameters(self, self.latent)
        queries, keys = self.heads * self.head_size, self.kv_heads * self.head_size
        matrices = self.hidden * (queries + 2 * keys) + queries * self.hidden
        biases = (queries + 2 * keys) * self.qkv_bias + self.hidden * self.output_bias
        return matrices + biases + 2 * self.head_size * self.head_norm

    @property
    def embedding_parameters(self) -> int:
        """Token and position vectors, and the output matrix when it is not the token vectors again."""
        tokens = self.vocabulary * self.hidden * (1 if self.tied_embeddings else 2)
        return tokens + self.positions * self.hidden

    @property
    def expert_parameters(self) -> int:
        """Parameters of all routed experts of the model."""
        if self.experts is None:
            return 0
        return self.moe_layers * self.experts.count * self.ffn_parameters(self.experts.ffn)

    @property
    def parameters(self) -> int:
        """Every trained parameter, embeddings included."""
        return self._dense_parameters() + self.expert_parameters

    @property
    def active_parameters(self) -> int:
        """Parameters that one token passes through, embeddings included: what 6ND is to be applied to."""
        if self.experts is None:
            return self.parameters
        used = self.moe_layers * self.experts.per_token * self.ffn_parameters(self.experts.ffn)
        return self._dense_parameters() + used

    def ffn_parameters(self, inner: int) -> int:
        """Parameters of a feed-forward block of that inner size."""
        matrices = (3 if self.gated else 2) * self.hidden * inner
        return matrices + (inner * (2 if self.gated else 1) + self.hidden) * self.ffn_bias

    def _dense_parameters(self) -> int:
        norm = self.hidden * self.norm_vectors
        layers = self.layers * (self.attention_parameters + self.norms * norm)
        outside = self.embedding_parameters + norm * (self.final_norm + self.embedding_norm)
        if self.experts is None:
            return layers + outside + self.layers * self.ffn_parameters(self.ffn)
        moe = self.experts
        every_token = self.ffn_parameters(moe.shared_ffn) if moe.shared_ffn else 0
        router = self.hidden * moe.count + moe.count * moe.router_bias + self.hidden * moe.shared_gate
        dense = moe.dense_layers * self.ffn_parameters(self.ffn)
        return layers + outside + dense + self.moe_layers * (every_token + router)


def _latent_parameters(model: Transformer, latent: LatentAttention) -> int:
    """DeepSeek-V2 (arXiv 2405.04434), section 2.1: down- and up-projections with a norm between them."""
    key = latent.content_size + latent.position_size
    queries = model.heads * key
    if latent.query_rank:
        query = model.hidden * latent.query_rank + latent.query_rank + latent.query_rank * queries
    else:
        query = model.hidden * queries
    down = model.hidden * (latent.kv_rank + latent.position_size) + latent.kv_rank
    up = latent.kv_rank * model.heads * (latent.content_size + latent.value_size)
    return query + down + up + model.heads * latent.value_size * model.hidden


def _check_experts(experts: Experts, layers: int) -> None:
    for field in ("count", "per_token", "ffn"):
        _positive(f"model.experts.{field}", getattr(experts, field))
    if experts.per_token > experts.count:
        raise ValidationError(
            field="model.experts.per_token",
            value=experts.per_token,
            rule=f"at most the {experts.count} experts there are",
            remedy="Correct the experts per token.",
        )
    if not 0 <= experts.dense_layers < layers:
        raise ValidationError(
            field="model.experts.dense_layers",
            value=experts.dense_layers,
            rule=f"from 0 to {layers - 1}, so that some layer has experts",
            remedy="Leave the experts out of a dense model.",
        )


def _positive(field: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LARGEST_FIGURE:
        raise ValidationError(
            field=field,
            value=value,
            rule=f"a whole number from 1 to {LARGEST_FIGURE}",
            remedy="Correct it in the model's shape.",
        )
