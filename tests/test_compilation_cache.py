"""Compiled programs kept on request are found by the next run, with equal results; the library keeps none."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autophagy.__main__ import main
from theory.loop import Gaussian, Loop, Replace
from theory.loop_file import to_json

ROOT = Path(__file__).parents[1]
LOOP = to_json(Loop(Gaussian(0, 1), Replace(10)))
VARIABLE = "JAX_COMPILATION_CACHE_DIR"
CHILD = """
import collections, json, sys
import jax
counts = collections.Counter()
jax.monitoring.register_event_listener(lambda event, **_: counts.update([event.rpartition("/")[2]]))
from autophagy.__main__ import main
code = main(sys.argv[1:])
print(json.dumps([counts["cache_hits"], counts["cache_misses"]]))
sys.exit(code)
"""


def simulate(*options, **variables):
    """(what it prints, programs found, programs compiled and kept) of a command in its own process."""
    words = ["simulate", LOOP, "-t", "2", "--seeds", "100", "--json", "--observable", "variance", *options]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", **variables}
    environment = {name: value for name, value in environment.items() if value is not None}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *map(str, words)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    *lines, counts = done.stdout.splitlines()
    return json.loads("\n".join(lines)), *json.loads(counts)


def files(folder):
    return sorted(path for path in folder.rglob("*-cache"))


def test_the_next_run_compiles_nothing_anew_and_gives_the_same(tmp_path):
    plain, hits, misses = simulate(**{VARIABLE: None})
    assert (hits, misses) == (0, 0)
    first, hits, compiled = simulate("--compilation-cache", tmp_path / "kept")
    kept = files(tmp_path / "kept")
    assert compiled == len(kept) > 0
    assert hits == 0
    second, hits, misses = simulate("--compilation-cache", tmp_path / "kept")
    assert (hits, misses) == (compiled, 0)
    assert files(tmp_path / "kept") == kept
    assert plain == first == second
    _, hits, misses = simulate("--compilation-cache", tmp_path / "kept", "-t", "1,2,3")
    assert misses > 0  # another program is not found there
    assert len(files(tmp_path / "kept")) == len(kept) + misses


def test_the_variable_asks_for_it_and_off_goes_before(tmp_path):
    _, _, compiled = simulate(**{VARIABLE: str(tmp_path / "kept")})
    assert compiled == len(files(tmp_path / "kept")) > 0
    _, hits, misses = simulate("--compilation-cache", "off", **{VARIABLE: str(tmp_path / "kept")})
    assert (hits, misses) == (0, 0)


def test_a_folder_that_cannot_be_is_refused(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    words = ["-t", "2", "--seeds", "9", "--compilation-cache", str(tmp_path / "file")]
    assert main(["simulate", LOOP, *words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"--compilation-cache {tmp_path / 'file'}: Not a directory" in error


def test_the_library_sets_nothing():
    packages = ("theory", "jaxsim", "models", "paper_figs")
    files = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    named = [path for path in files if "compilation_cache" in path.read_text()]
    assert len(files) > 50
    assert not named


ACCELERATED = [(None, True), ("off", False)]


@pytest.mark.parametrize(("asked", "kept"), ACCELERATED)
def test_accelerators_keep_programs_by_default(asked, kept, tmp_path, monkeypatch):
    import jax

    from autophagy import hardware

    changes = {}
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(jax.config, "update", changes.__setitem__)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    hardware.use(cache=asked)
    folder = changes.get("jax_compilation_cache_dir")
    assert (folder is not None) == kept == any(tmp_path.iterdir())
    if kept:
        assert folder.startswith(str(tmp_path / "autophagy" / "compiled"))
        assert changes["jax_persistent_cache_min_compile_time_secs"] == 0
        assert changes["jax_persistent_cache_min_entry_size_bytes"] == -1
