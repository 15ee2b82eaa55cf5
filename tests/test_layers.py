"""The arrows between packages, and that the packages are this repository's."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("theory", "jaxsim", "models", "paper_figs", "autophagy")
VOCABULARY = {"theory.loop", "theory.loop_file", "theory.observable", "theory.expression", "theory.sweep"}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def offences(layer, source, modules):
    """Imports of `layer` that point to a layer above it, or take more than words from theory."""
    above = LAYERS[LAYERS.index(layer) + 1 :]
    for name in modules:
        package = name.split(".")[0]
        if package in above:
            yield f"{source} imports {name}"
        if layer == "theory" and package in ("jax", "jaxlib", "flax", "optax"):
            yield f"{source} imports {name}"
        if (
            layer == "jaxsim"
            and package == "theory"
            and not any(name.startswith(word) for word in VOCABULARY)
        ):
            yield f"{source} takes more than words: {name}"


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_point_down(layer):
    files = sorted((ROOT / layer).rglob("*.py"))
    assert files
    assert not [text for path in files for text in offences(layer, path, imported(path))]


def test_a_wrong_arrow_is_seen():
    assert list(offences("theory", "x", ["jaxsim.simulate"]))
    assert list(offences("theory", "x", ["jax.numpy"]))
    assert list(offences("jaxsim", "x", ["theory.gaussian.variance"]))
    assert not list(offences("paper_figs", "x", ["theory.law.cdf", "models.datasets"]))


@pytest.mark.parametrize("name", LAYERS)
def test_packages_are_this_repository(name):
    found = Path(importlib.import_module(name).__file__).resolve()
    assert found.is_relative_to(ROOT), f"{name} is an intruder from {found}"


def test_help_imports_nothing_heavy():
    program = (
        "import sys, autophagy.__main__ as m\n"
        "try: m.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([x for x in ('jax', 'numpy', 'sympy', 'xarray', 'matplotlib', 'flax') if x in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
