"""Draws: the shares that were asked for come out."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from petahour.simulator.generate.draw import Source, apportion, chosen, laid, pick

_WEIGHTS = st.lists(st.floats(0.001, 1_000), min_size=1, max_size=30)


@given(total=st.integers(0, 10_000), weights=_WEIGHTS, least=st.integers(0, 3))
def test_apportioned_numbers_sum_to_the_total_within_one_of_their_share(
    total: int, weights: list[float], least: int
) -> None:
    total += least * len(weights)
    got = apportion(total, np.array(weights), least)
    assert got.sum() == total
    assert got.min() >= least
    exact = np.array(weights) / sum(weights) * (total - least * len(weights)) + least
    assert np.abs(got - exact).max() < 1 + 1e-6


@given(items=st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1), st.integers(1, 50)), min_size=1, max_size=40))
def test_a_group_s_items_cover_its_unit_interval_side_by_side(items: list[tuple[int, float, int]]) -> None:
    group = np.array([item[0] for item in items])
    weight = np.array([float(item[2]) for item in items])
    begin, length = laid(group, np.array([item[1] for item in items]), weight)
    for number in set(group.tolist()):
        mine = np.flatnonzero(group == number)
        order = mine[np.argsort(begin[mine])]
        assert abs(begin[order[0]]) < 1e-9
        assert np.allclose((begin + length)[order][:-1], begin[order][1:])
        assert abs((begin + length)[order[-1]] - 1) < 1e-9
        assert np.allclose(length[mine], weight[mine] / weight[mine].sum())


@given(share=st.floats(0, 1), weights=_WEIGHTS)
def test_the_chosen_weigh_their_share_to_within_an_item(share: float, weights: list[float]) -> None:
    weight = np.array(weights)
    taken = chosen(np.full(len(weights), share), np.arange(len(weights), dtype=float), weight)
    assert abs(weight[taken].sum() - share * weight.sum()) <= weight.max() * 1.000001


def test_a_place_falls_into_the_share_that_covers_it() -> None:
    shares = np.array([0.25, 0.0, 0.75])
    assert pick(shares, np.array([0.0, 0.24, 0.25, 0.99])).tolist() == [0, 0, 2, 2]


def test_streams_are_apart_and_the_same_for_a_seed() -> None:
    one, other = Source(1), Source(1)
    other.uniform("elsewhere", 10)
    assert one.uniform("here", 5).tolist() == other.uniform("here", 5).tolist()
    assert one.uniform("here", 5).tolist() != one.uniform("here", 5).tolist()
    assert Source(1).uniform("here", 5).tolist() != Source(2).uniform("here", 5).tolist()
    assert Source(1).uniform("here", 5).tolist() != Source(1).uniform("there", 5).tolist()


def test_numbers_are_uniform_and_bells_have_mean_nought_and_variance_one() -> None:
    source = Source(3)
    uniform = source.uniform("u", 50_000)
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert np.abs(np.quantile(uniform, [0.1, 0.5, 0.9]) - [0.1, 0.5, 0.9]).max() < 0.01
    bell = source.bell("b", 50_000)
    assert abs(bell.mean()) < 0.02
    assert abs(bell.var() - 1) < 0.02
    assert sorted(source.shuffled("s", 9).tolist()) == list(range(9))
