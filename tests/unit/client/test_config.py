"""The saved profile and the environment."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from petahour.client import Profile, load_profile, resolve_profile, save_profile
from petahour.model.errors import UnauthenticatedError, ValidationError


@pytest.fixture(autouse=True)
def _own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PETAHOUR_CONFIG", str(tmp_path / "etc" / "config.toml"))
    monkeypatch.delenv("PETAHOUR_URL", raising=False)
    monkeypatch.delenv("PETAHOUR_API_KEY", raising=False)


def test_saved_for_its_owner_only_and_read_again() -> None:
    path = save_profile(Profile(url="http://one:1/", key=" ph_a_b\n"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    save_profile(Profile(url="http://one:2", key="ph_c_d"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_profile() == Profile(url="http://one:2", key="ph_c_d")
    assert [item.name for item in path.parent.iterdir()] == ["config.toml"]


def test_the_environment_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    save_profile(Profile(url="http://one:1", key="ph_a_b"))
    assert resolve_profile() == Profile(url="http://one:1", key="ph_a_b")
    monkeypatch.setenv("PETAHOUR_API_KEY", "ph_c_d")
    assert resolve_profile() == Profile(url="http://one:1", key="ph_c_d")
    monkeypatch.setenv("PETAHOUR_URL", "http://two:2")
    assert resolve_profile() == Profile(url="http://two:2", key="ph_c_d")


def test_a_saved_key_goes_to_its_own_url_only(monkeypatch: pytest.MonkeyPatch) -> None:
    save_profile(Profile(url="http://one:1", key="ph_a_b"))
    monkeypatch.setenv("PETAHOUR_URL", "http://two:2")
    with pytest.raises(UnauthenticatedError, match="http://two:2"):
        resolve_profile()


def test_no_profile_at_all() -> None:
    assert load_profile() is None
    with pytest.raises(UnauthenticatedError, match="petahour login"):
        resolve_profile()


@pytest.mark.parametrize("content", [b"url = ", b"\xff", b"url = 1\nkey = 2\n", b'url = "http://x"\n'])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(ValidationError, match=r"broken\.toml"):
        load_profile(path)


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "x", "http://", "http://a b", "http://a:x", "http://u:p@h", "http://h?q"]
)
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(ValidationError, match="url"):
        save_profile(Profile(url=url, key="ph_a_b"))


def test_a_bad_key_is_not_repeated() -> None:
    with pytest.raises(ValidationError) as caught:
        save_profile(Profile(url="http://h", key="geheim nis"))
    assert "geheim" not in str(caught.value)
    assert "ph_a" not in repr(Profile(url="http://h", key="ph_a"))
