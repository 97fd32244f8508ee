"""Slurm's accounts as tenants: names, projects, people, bounds, and everything else named."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petahour.client.slurm_accounts import ImportOptions, ImportPlan, plan_import
from petahour.engines.slurm.accounts import Accounts, Association, read_accounts
from petahour.model.errors import ValidationError
from petahour.model.tenants import Quota

HEADING = "Cluster|Account|ParentName|User|Partition|Share|GrpTRES|MaxJobs|QOS"
LINES = """\
c|root||||1|||normal
c|root||root||1|||normal
c|physics|root|||1|cpu=100,gres/gpu:a100=8,gres/npu=4||normal
c|physics||bob||1|||normal
c|plasma_lab|physics|||5|gres/gpu=4||normal
c|plasma_lab||anna||1||3|normal
c|deep|plasma_lab|||1|||normal
c|deep||anna|gpu|1|||normal
c|chem|root|||1|||normal
c|chem||anna||1|||normal
"""
PEOPLE = """\
Account|Descr|Org|Coord Accounts
physics|Physics dept|uni|bob
chem|||
"""
OPTIONS = ImportOptions(currency="CNY", gres={"gpu:a100": "a100-80g-sxm", "npu:910b3": "ascend-910b3"})


def plan(text: str = f"{HEADING}\n{LINES}{PEOPLE}", options: ImportOptions = OPTIONS) -> ImportPlan:
    return plan_import(read_accounts(text), options)


def test_accounts_below_root_are_tenants_and_those_below_them_projects() -> None:
    chem, physics = plan().tenants
    assert (physics.name, physics.title, physics.currency) == ("physics", "Physics dept", "CNY")
    assert physics.projects == {"deep": "deep", "plasma-lab": "plasma_lab"}
    assert [(user.name, user.role) for user in physics.users] == [("anna", "member"), ("bob", "tenant-admin")]
    assert (chem.title, chem.projects, [user.name for user in chem.users]) == ("chem", {}, ["anna"])


def test_a_bound_of_slurm_is_a_bound_or_a_share() -> None:
    _, physics = plan().tenants
    assert physics.quotas == (
        Quota(tenant="physics", type="a100-80g-sxm", nominal=0, borrowing_limit=8),
        Quota(tenant="physics", type="ascend-910b3", nominal=0, borrowing_limit=4),
    )
    _, physics = plan(options=replace(OPTIONS, guarantee=True)).tenants
    assert [(quota.nominal, quota.borrowing_limit) for quota in physics.quotas] == [(8, 0), (4, 0)]


def test_what_has_no_counterpart_is_named() -> None:
    left = {(one.where, one.what): one.why for one in plan().left_out}
    assert set(left) == {
        ("physics", "GrpTRES cpu=100"),
        ("plasma_lab", "Share 5"),
        ("plasma_lab", "GrpTRES gres/gpu=4"),
        ("plasma_lab, user anna", "MaxJobs 3"),
        ("deep, user anna", "partition gpu"),
    }
    assert left["physics", "GrpTRES cpu=100"] == "only accelerators are rented"
    bare = plan(options=replace(OPTIONS, gres={"gpu:a100": "a", "gpu:h100": "b"}))
    assert {one.why for one in bare.left_out if "npu" in one.what} == {"slurm.toml has no type for npu"}
    two = plan(f"{HEADING}\nc|a|root|||1|gres/gpu=4||\n", replace(OPTIONS, gres={"gpu:a100": "a", "gpu:h100": "b"}))
    assert [one.why for one in two.left_out] == ["several types are behind gpu; a quota is of one type"]


def test_accounts_named_become_tenants_and_what_is_below_none_is_left() -> None:
    made = plan(options=replace(OPTIONS, tenants=frozenset({"plasma_lab", "chem"}), rename={"chem": "chemistry"}))
    assert [(new.name, list(new.projects)) for new in made.tenants] == [("chemistry", []), ("plasma-lab", ["deep"])]
    assert ("physics", "account") in {(one.where, one.what) for one in made.left_out}


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("", OPTIONS, "associations: a table of associations"),
        ("Cluster|Account|User\n", OPTIONS, "line 1: associations with every needed column.*ParentName.*sacctmgr"),
        (f"{HEADING}\nc|a|root\n", OPTIONS, "line 2: 9 fields below a heading"),
        (f"{HEADING}\nc|a_b|root||||||\nc|a.b|root||||||\n", OPTIONS, r"a\.b and a_b would both be 'a-b'.*--rename"),
        (f"{HEADING}\nc|other|root||||||\n", OPTIONS, "it would be 'other', which is not a name here"),
        (f"{HEADING}\nc|___|root||||||\n", OPTIONS, "it would be '', which is not a name here.*--rename ___=NAME"),
        (f"{HEADING}\nc|a|root||||||\nc|a||u.v|||||\nc|a||u_v|||||\n", OPTIONS, "would both be 'u-v'.*--rename-user"),
        (f"{HEADING}\nc|a|root||||||\nd|a|root||||||\n", OPTIONS, "cluster: one cluster.*c, d"),
        (f"{HEADING}\nc|a|root||||||\n", replace(OPTIONS, cluster="x"), "cluster: a cluster of these.*Use one of c"),
        (f"{HEADING}\nc|a|root||||||\n", replace(OPTIONS, tenants=frozenset({"b"})), "account: .*It has a"),
    ],
)
def test_what_is_refused(text: str, options: ImportOptions, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        plan(text, options)


NAMES = st.sampled_from(["a", "b", "c", "d", "e", "f"])


@given(
    parents=st.lists(st.integers(-1, 5), min_size=6, max_size=6),
    users=st.lists(st.tuples(st.integers(0, 5), NAMES), max_size=12),
    chosen=st.sets(st.integers(0, 5)),
    shares=st.lists(st.integers(1, 3), min_size=6, max_size=6),
)
def test_nothing_is_lost(
    parents: list[int], users: list[tuple[int, str]], chosen: set[int], shares: list[int]
) -> None:
    """Every account is a tenant, a project of just one, or named; every user of a tenant's account is in it."""
    names = "uvwxyz"
    # Parents come earlier, so that it is a tree.
    above = [parent if parent < number else -1 for number, parent in enumerate(parents)]
    accounts = [
        Association(
            cluster="c", account=names[number], parent="root" if parent < 0 else names[parent], user="",
            partition="", limits={"Share": str(shares[number])},
        )
        for number, parent in enumerate(above)
    ]  # fmt: skip
    people = [
        Association(cluster="c", account=names[number], parent="", user=user, partition="") for number, user in users
    ]
    options = replace(OPTIONS, tenants=frozenset(names[number] for number in chosen))
    made = plan_import(Accounts(associations=(*accounts, *people)), options)
    placed = [new.account for new in made.tenants] + [one for new in made.tenants for one in new.projects.values()]
    left = [one.where for one in made.left_out if one.what == "account"]
    assert sorted([*placed, *left]) == list(names)
    where = {account: new for new in made.tenants for account in (new.account, *new.projects.values())}
    for number, user in users:
        if names[number] in where:
            assert user in {one.slurm for one in where[names[number]].users}
    assert sum(len(new.users) for new in made.tenants) == len(
        {(where[names[number]].name, user) for number, user in users if names[number] in where}
    )
    named = {one.where for one in made.left_out if one.what.startswith("Share")}
    assert named == {names[number] for number in range(6) if shares[number] > 1 and names[number] in where}
