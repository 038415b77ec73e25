"""Every documented parameter is one, and every documented default is that of the signature."""

import importlib
import inspect
import math
import pkgutil
import pydoc
import re

import pytest

import sk_dcedenoise
from sk_dcedenoise import denoisers

# What optional modules import, which a bare installation need not have.
OPTIONAL = {"matplotlib", "nibabel", "optuna", "optuna_integration", "dask"}


def public_modules():
    yield sk_dcedenoise
    for found in pkgutil.walk_packages(sk_dcedenoise.__path__, "sk_dcedenoise."):
        if any(part.startswith("_") for part in found.name.split(".")):
            continue
        try:
            yield importlib.import_module(found.name)
        except ModuleNotFoundError as error:
            if error.name.split(".")[0] not in OPTIONAL:
                raise


def public_objects():
    """Yield the name and the object of public functions, classes and methods, each one once."""
    seen = set()
    for module in public_modules():
        for name in getattr(module, "__all__", vars(module)):
            thing = getattr(module, name)
            ours = getattr(thing, "__module__", "").startswith("sk_dcedenoise")
            callable_ = inspect.isclass(thing) or inspect.isfunction(thing)
            if name.startswith("_") or not ours or not callable_ or thing in seen:
                continue
            seen.add(thing)
            yield name, thing
            yield from public_methods(thing, seen)


def public_methods(thing, seen):
    if not inspect.isclass(thing):
        return
    for base in thing.__mro__:
        for method_name, method in vars(base).items():
            ours = base.__module__.startswith("sk_dcedenoise") and inspect.isfunction(method)
            if ours and not method_name.startswith("_") and method not in seen:
                seen.add(method)
                yield f"{base.__name__}.{method_name}", method


def documented(thing):
    """Yield name and type of each entry under "Parameters" of a numpydoc docstring."""
    text = inspect.cleandoc(vars(thing).get("__doc__") or thing.__doc__ or "")
    section = re.search(r"^Parameters\n-{10}\n(.*?)(?=^\S[^\n]*\n-{3,}\n|\Z)", text, re.M | re.S)
    for entry in re.finditer(r"^(\S[^:\n]*?) : (.*)$", section[1] if section else "", re.M):
        for name in entry[1].split(", "):
            yield name, entry[2]


def accepted(thing):
    """Return the parameters of a function, or of the constructor of a class."""
    parameters = dict(inspect.signature(thing).parameters)
    parameters.pop("self", None)
    stars = {inspect.Parameter.VAR_KEYWORD: "**", inspect.Parameter.VAR_POSITIONAL: "*"}
    return {stars.get(p.kind, "") + name: p for name, p in parameters.items()}


def value_of(text):
    """Return what a documented default means: a literal, arithmetic, or the name of a thing."""
    text = text.strip("`")
    try:
        return eval(text, {"__builtins__": {}}, {"nan": math.nan, "inf": math.inf})
    except (NameError, SyntaxError):
        found = pydoc.locate(re.sub(r"^np\.", "numpy.", text))
        assert found is not None, f"default={text} is neither a value nor the name of a thing"
        return found


def same(one, other):
    both_nan = all(isinstance(value, float) and math.isnan(value) for value in (one, other))
    return one is other or one == other or both_nan


OBJECTS = dict(public_objects())


@pytest.mark.parametrize("name", OBJECTS)
def test_documented_parameters_and_defaults_are_those_of_the_signature(name):
    thing = OBJECTS[name]
    assert inspect.getdoc(thing), f"{name} has no docstring"
    entries = dict(documented(thing))
    only_returned = "\nAttributes\n" in inspect.getdoc(thing) or "__init__" not in vars(thing)
    if not entries and (not inspect.isclass(thing) or only_returned):
        return  # a short docstring, or a class that users get and never make
    parameters = accepted(thing)
    assert list(entries) == list(parameters)
    for parameter, kind in entries.items():
        default = parameters[parameter].default
        text = re.search(r"\bdefault=(.+)$", kind)
        if default is inspect.Parameter.empty:
            assert text is None, f"{parameter} has no default"
        elif text is not None:
            assert same(value_of(text[1]), default), parameter
        else:
            # An unused y of scikit-learn's interface goes without.
            assert re.match("ignored|Ignored|None", kind) or parameter == "y", parameter


def test_the_walk_finds_what_it_should():
    assert {"DenoiserLSTM", "BaseDenoiser.fit", "SSDMADLoss", "make_dce_curves"} <= set(OBJECTS)
    assert dict(documented(denoisers.DenoiserLSTM))["max_steps"].startswith("int, default=")


SEVEN = [getattr(denoisers, name) for name in denoisers.__all__ if name.startswith("Denoiser")]


@pytest.mark.parametrize("denoiser", SEVEN, ids=lambda denoiser: denoiser.__name__)
def test_denoisers_tell_their_story_in_one_order(denoiser):
    text = inspect.cleandoc(denoiser.__doc__)
    titles = re.findall(r"^(\w+)\n-{3,}$", text, re.M)
    assert titles == ["Parameters", "Attributes", "Notes", "References", "Examples"]
    assert "Notes\n-----\n**Departures from the paper.** " in text
    assert re.search(r"\d{2,3},\d{3} weights|\d,\d{3},\d{3}\s+weights|\d weights", text)
    assert re.search(r"doi:10\.|arXiv:\d", text)
    assert f">>> from sk_dcedenoise.denoisers import {denoiser.__name__}\n" in text


def test_parameters_that_the_denoisers_share_have_the_same_words():
    def words(denoiser):
        text = inspect.cleandoc(denoiser.__doc__)
        shared = text[text.index("\nscale : ") : text.index("\nAttributes\n")]
        return re.sub(r"default=\S+", "", shared)

    assert len({words(denoiser) for denoiser in SEVEN}) == 1
