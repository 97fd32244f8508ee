"""A character language model in NumPy: embeddings of the last characters, a hidden layer, a softmax."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indexes = NDArray[np.int64]
Parameters = dict[str, Array]

CONTEXT = 8
EMBEDDING = 12
HIDDEN = 64


def initial(vocabulary: int, seed: int) -> Parameters:
    """Fresh parameters: embedding [V, E], hidden weights [C*E, H], output weights [H, V], and biases."""
    draw = np.random.default_rng(seed)
    fan_in = CONTEXT * EMBEDDING
    return {
        "embedding": draw.normal(0, 0.3, (vocabulary, EMBEDDING)),
        "hidden": draw.normal(0, 1 / np.sqrt(fan_in), (fan_in, HIDDEN)),
        "hidden_bias": np.zeros(HIDDEN),
        "output": draw.normal(0, 1 / np.sqrt(HIDDEN), (HIDDEN, vocabulary)),
        "output_bias": np.zeros(vocabulary),
    }


def loss_and_gradients(parameters: Parameters, contexts: Indexes, targets: Indexes) -> tuple[float, Parameters]:
    """Summed cross-entropy (nats) of ``targets`` [B] after ``contexts`` [B, C], and its gradients.

    Sums, not means: gradients of parts of a batch then add up to those of the whole.
    """
    count = len(targets)
    embedded = parameters["embedding"][contexts].reshape(count, -1)
    hidden = np.tanh(embedded @ parameters["hidden"] + parameters["hidden_bias"])
    scores = hidden @ parameters["output"] + parameters["output_bias"]
    scores -= scores.max(axis=1, keepdims=True)
    probabilities = np.exp(scores)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    rows = np.arange(count)
    loss = float(-np.log(probabilities[rows, targets]).sum())

    into_scores = probabilities
    into_scores[rows, targets] -= 1
    into_hidden = (into_scores @ parameters["output"].T) * (1 - hidden**2)
    into_embedded = (into_hidden @ parameters["hidden"].T).reshape(count, CONTEXT, EMBEDDING)
    into_embedding = np.zeros_like(parameters["embedding"])
    np.add.at(into_embedding, contexts, into_embedded)
    return loss, {
        "embedding": into_embedding,
        "hidden": embedded.T @ into_hidden,
        "hidden_bias": into_hidden.sum(axis=0),
        "output": hidden.T @ into_scores,
        "output_bias": into_scores.sum(axis=0),
    }


class Adam:
    """Adam (Kingma and Ba 2015) with bias correction; its moments belong to the checkpoint."""

    def __init__(self, parameters: Parameters, rate: float = 3e-3) -> None:
        self.rate = rate
        self.step = 0
        self.first = {name: np.zeros_like(value) for name, value in parameters.items()}
        self.second = {name: np.zeros_like(value) for name, value in parameters.items()}

    def update(self, parameters: Parameters, gradients: Parameters) -> None:
        """One step, in place."""
        self.step += 1
        for name, gradient in gradients.items():
            self.first[name] += 0.1 * (gradient - self.first[name])
            self.second[name] += 0.001 * (gradient**2 - self.second[name])
            first = self.first[name] / (1 - 0.9**self.step)
            second = self.second[name] / (1 - 0.999**self.step)
            parameters[name] -= self.rate * first / (np.sqrt(second) + 1e-8)
