"""The package as a whole: what importing it costs, and which room may import which."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sk_dcedenoise

PACKAGE = Path(sk_dcedenoise.__file__).parent

# A module imports only from floors below its own.
FLOORS = (
    {"_validation", "_sampling", "_noise_levels"},
    {"signal", "aif", "convolution", "tofts", "masking", "_noise"},
    {"fitting", "preprocessing", "metrics"},
    {"datasets", "baselines", "_guard"},
    {"denoisers"},
    {"semisynthetic"},
    {"search", "plotting", "persistence", "scaleout"},
    {"cli", "volumes"},
    {"__main__"},
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# Rooms of one floor of which the first stands on the second, and why.
SAME_FLOOR = {
    ("tofts", "aif"): "a model takes its AIF by name",
    ("tofts", "convolution"): "its one integral",
    ("cli", "volumes"): "commands read and write NIfTI files",
}
FILES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def run(code):
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_importing_the_package_leaves_optional_parts_alone():
    code = "import sys, sk_dcedenoise; print(*{name.partition('.')[0] for name in sys.modules})"
    assert not {"optuna", "matplotlib", "nibabel", "dask", "numba"} & set(run(code))


def test_no_public_name_needs_an_optional_part():
    code = (
        "import sys; from sk_dcedenoise import *; "
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    loaded = set(run(code))
    assert "torch" in loaded  # the names were imported indeed
    assert not {"optuna", "matplotlib", "nibabel", "dask", "numba"} & loaded


@pytest.mark.parametrize("name", sk_dcedenoise.__all__)
def test_public_names_are_there_and_documented(name):
    public = getattr(sk_dcedenoise, name)
    assert public.__name__ == name
    assert public.__doc__
    assert name in dir(sk_dcedenoise)


def test_unknown_name():
    with pytest.raises(AttributeError, match="has no attribute 'DenoiserGRU'"):
        _ = sk_dcedenoise.DenoiserGRU


@pytest.mark.parametrize("file", FILES, ids=str)
def test_a_module_imports_only_from_floors_below(file):
    own = room_of(file)
    if own == "__init__":
        return  # the entrance leads to all rooms
    assert own in FLOOR_OF, f"{own} stands on no floor: say in FLOORS on which"
    for other in imported_rooms(file):
        below = FLOOR_OF[other] < FLOOR_OF[own] or (own, other) in SAME_FLOOR
        assert other == own or below, f"{file} on floor {FLOOR_OF[own]} imports {other}"


def test_every_permission_within_a_floor_is_used():
    used = {(room_of(f), other) for f in FILES for other in imported_rooms(f)}
    assert set(SAME_FLOOR) <= used


def room_of(file):
    """First name of a file's path: a module, or the folder of one."""
    return file.with_suffix("").parts[0]


def imported_rooms(file):
    """Rooms of this package that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse((PACKAGE / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module.split(".") if node.module else []
            if node.level:
                base = ["sk_dcedenoise", *file.parts[: len(file.parts) - node.level], *base]
            names = [[*base, alias.name] for alias in node.names]
        else:
            continue
        found |= {name[1] for name in names if name[0] == "sk_dcedenoise" and len(name) > 1}
    return found & {room_of(file) for file in FILES}
