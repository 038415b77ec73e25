"""Published reference curves, within the tolerances of the OSIPI collection."""

import csv

import numpy as np
import pytest

from sk_dcedenoise.fitting import ToftsTransformer

# Absolute and relative tolerance, as in the collection's own tests.
TOLERANCES = {"Ktrans": (0.005, 0.1), "ve": (0.05, 0), "vp": (0.025, 0), "delay": (1.0, 0)}
FILES = [
    ("osipi_tofts.csv", "tofts", None),
    ("osipi_extended_tofts.csv", "extended_tofts", None),
    ("osipi_extended_tofts.csv", "extended_tofts", (0, 10)),
    ("osipi_patlak.csv", "patlak", None),
    ("osipi_patlak.csv", "patlak", (0, 10)),
    ("osipi_patlak_delay5s.csv", "patlak", (0, 10)),
]


def numbers(cell):
    return np.array(cell.split(), dtype=float)


def read(path):
    """Time, curve, AIF and the published parameters of each row."""
    csv.field_size_limit(10**9)
    with open(path, encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            truth = {
                "Ktrans": row.get("Ktrans") or row.get("ps"),
                "ve": row.get("ve"),
                "vp": row.get("vp"),
                "delay": row.get("arterialdelay") or row.get("arterial_delay"),
            }
            truth = {name: float(value or 0) for name, value in truth.items()}
            curve = numbers(row.get("C") or row["C_t"])
            yield numbers(row["t"]), curve, numbers(row.get("ca") or row["cp_aif"]), truth


@pytest.mark.parametrize(("name", "model", "delay"), FILES)
def test_published_parameters(reference_data, name, model, delay):
    rows = list(read(reference_data / name))
    assert len(rows) >= 2
    for time, curve, aif, truth in rows:
        fit = ToftsTransformer(time, aif, model=model, delay=delay).fit(curve[None])
        names = [*fit.get_feature_names_out(), *["delay"] * (delay is not None)]
        found = fit.set_params(outputs=names).fit(curve[None]).transform(curve[None])[0]
        for parameter, value in zip(names, found, strict=True):
            absolute, relative = TOLERANCES[parameter]
            assert value == pytest.approx(
                truth[parameter], abs=absolute + relative * truth[parameter]
            )


def test_measured_slice(reference_data):
    """In vivo: every curve gets an answer, with parameters in the box and in the usual ranges."""
    scan = np.load(reference_data / "invivo_slice_left.npz")
    curves = scan["C_mM"]
    outputs = ["Ktrans", "ve", "vp", "kep", "r2", "status"]
    fit = ToftsTransformer(scan["t_s"], scan["Cp_mM"], outputs=outputs).fit(curves)
    found = dict(zip(outputs, fit.transform(curves).T, strict=True))
    for name, high in {"Ktrans": 5, "ve": 1, "vp": 1, "kep": 50}.items():
        assert (found[name] >= 0).all() and (found[name] <= high).all()
    assert 0.01 < np.median(found["Ktrans"]) < 0.5 and 0.01 < np.median(found["ve"]) < 0.6
    assert np.median(found["r2"]) > 0.8
