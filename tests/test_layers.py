"""The arrows between packages, and that the packages are this repository's."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("theory", "jaxsim", "models", "paper_figs", "autophagy")
VOCABULARY = {
    "theory.claim",
    "theory.combination",
    "theory.counts",
    "theory.discrete_source",
    "theory.estimator",
    "theory.expression",
    "theory.generations",
    "theory.generator",
    "theory.linear",
    "theory.loop",
    "theory.loop_file",
    "theory.loop_tables",
    "theory.meal",
    "theory.observable",
    "theory.peers",
    "theory.policy",
    "theory.quantity",
    "theory.recipe",
    "theory.replacement",
    "theory.sampler",
    "theory.selection",
    "theory.source",
    "theory.spacing",
    "theory.sweep",
    "theory.sweep_file",
    "theory.written_recipe",
}
"""What theory and simulator may share: words, checked values, what a policy means. No result is computed."""


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_word(name):
    """Whether an imported name is a module of the vocabulary, or something in one."""
    return name in VOCABULARY or name.rpartition(".")[0] in VOCABULARY


def offences(layer, source, modules):
    """Imports of `layer` that point to a layer above it, or take more than words from theory."""
    above = LAYERS[LAYERS.index(layer) + 1 :]
    for name in modules:
        package = name.split(".")[0]
        if package in above:
            yield f"{source} imports {name}"
        if layer == "theory" and package in ("jax", "jaxlib", "flax", "optax"):
            yield f"{source} imports {name}"
        if layer == "jaxsim" and package == "theory" and not is_word(name):
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


@pytest.mark.parametrize(
    "name",
    [
        "theory",
        "theory.provenance.of_loop",
        "theory.provenance.of_loop.provenance",
        "theory.replace.fits.fit",
        "theory.sweeping",
        "theory.recipes.optimal_weight.settled",
        "theory.selection_law",
    ],
)
def test_only_words_cross_to_the_simulator(name):
    assert list(offences("jaxsim", "x", [name]))


@pytest.mark.parametrize("name", ["theory.loop", "theory.loop.Loop", "theory.recipe.recipe"])
def test_words_cross_to_the_simulator(name):
    assert not list(offences("jaxsim", "x", [name]))


@pytest.mark.parametrize("module", sorted(VOCABULARY))
def test_words_rest_on_words_alone(module):
    path = ROOT / (module.replace(".", "/") + ".py")
    assert not [name for name in imported(path) if name.startswith("theory") and not is_word(name)]


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
