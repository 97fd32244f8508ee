"""The house keeps its rules: floors, small files, plain names, and packages that say what they are."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "petahour"
FILES = sorted(SOURCE.rglob("*.py"))
PURE = ("model", "scheduler", "billing")
IMPURE_NAMES = {"open", "input", "print", "exec", "eval"}
VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}


def test_imports_go_downward_only() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([str(linter)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_file_is_one_small_named_idea(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 400
    assert not VAGUE & {path.stem, *path.relative_to(SOURCE).parts}
    if path.parent.name != "versions" or path.stem != "__init__":
        assert ast.get_docstring(ast.parse(text)), "a module says what it is"


@pytest.mark.parametrize("floor", PURE)
def test_pure_floors_call_nothing_impure(floor: str) -> None:
    for path in sorted((SOURCE / floor).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in IMPURE_NAMES, f"{path}:{node.lineno}"
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "datetime":
                assert node.attr not in {"now", "utcnow", "today"}, f"{path}:{node.lineno}"


def test_no_vendor_is_named_where_decisions_are_made() -> None:
    """The scheduler and billing read capabilities and prices; they never branch on a vendor's name."""
    for floor in ("scheduler", "billing"):
        for path in sorted((SOURCE / floor).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Compare):
                    words = {item.value for item in ast.walk(node) if isinstance(item, ast.Constant)}
                    assert not words & {"nvidia", "huawei", "moore-threads", "biren", "cambricon", "amd"}, path
