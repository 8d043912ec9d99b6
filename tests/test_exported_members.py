"""The public face of every module is its `__all__`: sorted, complete, and nothing in it that is not there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[1]
_PACKAGES = ("cli", "features", "models", "service", "store", "training")
_DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
# Routes and commands are reached through what they are registered with, not by import.
_REGISTRIES = {"callback", "command", "delete", "exception_handler", "get", "middleware", "patch", "post", "put"}


def _modules() -> list[Path]:
    return sorted(path for package in _PACKAGES for path in (_ROOT / package).rglob("*.py"))


def _is_all(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets)


def _exported(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and _is_all(node):
            names: list[str] = ast.literal_eval(node.value)
            return names
    return None


def _defined(tree: ast.Module) -> set[str]:
    """Public classes and functions, which must all be exported, but for handlers that a decorator hands over."""
    return {
        node.name
        for node in tree.body
        if isinstance(node, _DEFINITIONS)
        and not node.name.startswith("_")
        and not any(_registers(decorator) for decorator in node.decorator_list)
    }


def _registers(decorator: ast.expr) -> bool:
    """Whether it is such as `@router.get(...)` or `@app.command(...)`."""
    call = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(call, ast.Attribute) and call.attr in _REGISTRIES


def _bound(tree: ast.Module) -> set[str]:
    """All names that a module has: defined, assigned or imported."""
    names = {node.name for node in tree.body if isinstance(node, _DEFINITIONS)}
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return names


def _sort_key(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest, each by name."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(_ROOT)))
def test_a_module_exports_all_that_it_defines_in_order_and_nothing_else(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    exported = _exported(tree)
    if exported is None:
        assert not _defined(tree), f"expected __all__ in a module that defines {', '.join(sorted(_defined(tree)))}"
        return
    assert exported == sorted(exported, key=_sort_key)
    assert len(exported) == len(set(exported))
    assert _defined(tree) <= set(exported)
    assert set(exported) <= _bound(tree)
