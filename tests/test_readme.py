"""What the README shows runs."""

import re
from pathlib import Path

import pytest

import sk_dcedenoise
from sk_dcedenoise.cli import _make_parser

README = Path(sk_dcedenoise.__file__).parents[1] / "README.md"
pytestmark = pytest.mark.skipif(not README.exists(), reason="README.md is not installed")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_the_example_runs():
    (code,) = blocks("python")
    smaller = code.replace("20_000", "200").replace("max_seconds=60", "max_steps=2")
    assert smaller.count("200,") == smaller.count("max_steps=2") == 1
    names = {}
    exec(smaller, names)  # the README is this project's own
    assert names["parameters"].shape == (200, 3)
    assert list(names["search"].best_estimator_.get_feature_names_out()) == ["Ktrans", "ve", "vp"]


def test_the_commands_parse():
    commands = re.findall(r"^sk-dcedenoise (.*)$", "".join(blocks("sh")), re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        _make_parser().parse_args(command.split())


def test_the_seven_are_all_there():
    text = README.read_text(encoding="utf-8")
    denoisers = [name for name in sk_dcedenoise.__all__ if name.startswith("Denoiser")]
    assert len(denoisers) == 7
    for name in denoisers:
        assert f"| `{name}` |" in text


def test_it_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) < 120
