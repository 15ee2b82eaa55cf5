"""Every snippet of the README runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"^```(python|sh)\n(.*?)^```", README.read_text(), flags=re.MULTILINE | re.DOTALL)
COMMANDS = ("make ", "git clone")  # what sets the project up cannot run inside its own tests


def test_python_snippets_run_in_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    snippets = [text for language, text in BLOCKS if language == "python"]
    assert snippets
    namespace = {}
    for text in snippets:
        exec(compile(text, "README.md", "exec"), namespace)


def test_shell_snippets_run_in_order(tmp_path):
    snippets = [text for language, text in BLOCKS if language == "sh" and not text.startswith(COMMANDS)]
    assert snippets
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(snippets)],
        cwd=tmp_path, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["make demo", "make test"])
def test_the_two_commands_stand_at_the_top(command):
    assert command in README.read_text()[:1500]
