"""What maps hold: names, units, and codes of OSIPI's lexicon (osipi.github.io/OSIPI_CAPLEX)."""

from sk_dcedenoise.fitting import FitStatus

# Name in words, unit, code of the lexicon.
_QUANTITIES = {
    "Ktrans": ("Volume transfer constant", "1/min", "Q.PH1.008"),
    "kep": ("Indicator exchange rate, Ktrans / ve", "1/min", "Q.PH1.009.[e]"),
    "ve": ("Volume fraction of the extravascular extracellular space", "fraction", "Q.PH1.001.[e]"),
    "vp": ("Volume fraction of the plasma", "fraction", "Q.PH1.001.[p]"),
    "delay": ("Arterial delay time", "s", "Q.PH1.007"),
    "T10": ("T1 before contrast agent", "s", None),
    "residual_std": ("Standard deviation of what the model leaves over", "mM", None),
    "r2": ("Share of the curve's variance that the model explains", "fraction", None),
    "status": ("How the fit ended, a sum of flags; 0 is an optimum inside all bounds", None, None),
    "trust": (
        "How far the denoised curve goes by the network: 1 fully, 0 by the data alone",
        "fraction",
        None,
    ),
    "concentration": ("Indicator concentration", "mM", "Q.IC1.001"),
}


def describe(name):
    """Return what a sidecar says about a map.

    Parameters
    ----------
    name : str
        Of a parameter; ``"_se"`` at the end means its standard error, ``"_undenoised"`` that it
        was fitted to the curves as measured, ``"truth_"`` before it what a phantom was made from.
        Unknown names describe themselves.

    Returns
    -------
    sidecar : dict
    """
    base, undenoised = name.removesuffix("_undenoised"), name.endswith("_undenoised")
    base, is_truth = base.removeprefix("truth_"), base.startswith("truth_")
    is_error = base.endswith("_se")
    words, unit, code = _QUANTITIES.get(base.removesuffix("_se"), (base, None, None))
    if is_error:
        words = f"Standard error of: {words}"
    if is_truth:
        words = f"True {words[0].lower()}{words[1:]}"
    if undenoised:
        words = f"{words}; fitted to the curves as measured"
    sidecar = {"Name": name, "Description": words}
    if unit:
        sidecar["Units"] = unit
    if code and not is_error:
        sidecar["OSIPI"] = code
    if base == "status":
        sidecar["Flags"] = {flag.name: flag.value for flag in FitStatus}
    return sidecar
