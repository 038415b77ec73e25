"""How the fit of a curve ended."""

import enum

import torch


class FitStatus(enum.IntFlag):
    """How the fit of a curve ended; bounds that are met together add up.

    ``FITTED`` (0) is an optimum inside all bounds. ``NO_SIGNAL`` means that no amount of plasma
    or leakage in the box describes the curve better than none. ``NOT_FITTABLE`` means too few
    frames, an infinite value, or frames that all precede the contrast agent: the row is NaN.

    Examples
    --------
    >>> from sk_dcedenoise.fitting import FitStatus
    >>> FitStatus(40)
    <FitStatus.VE_HIGH|VP_HIGH: 40>
    """

    FITTED = 0
    KTRANS_LOW = 1
    KTRANS_HIGH = 2
    VE_LOW = 4
    VE_HIGH = 8
    VP_LOW = 16
    VP_HIGH = 32
    KEP_LOW = 64
    KEP_HIGH = 128
    DELAY_LOW = 256
    DELAY_HIGH = 512
    NO_SIGNAL = 1024
    NOT_FITTABLE = 2048


def status_of(parameters, box, names):
    """Status of each curve (int64) from its parameters, for the parameters that were fitted."""
    ktrans, vp = parameters["Ktrans"], parameters["vp"]
    status = torch.zeros_like(ktrans, dtype=torch.int64)
    for name in names:
        low, high = at_bounds(parameters[name], getattr(box, name))
        status += low * FitStatus[f"{name.upper()}_LOW"]
        status += high * FitStatus[f"{name.upper()}_HIGH"]
    # Without leakage, ve and kep stand at their lowest values because the curve says nothing.
    undefined = int(FitStatus.VE_LOW | FitStatus.KEP_LOW)
    status = torch.where(ktrans == 0, status & ~undefined, status)
    status = torch.where((ktrans == 0) & (vp == 0), int(FitStatus.NO_SIGNAL), status)
    return torch.where(ktrans.isnan(), int(FitStatus.NOT_FITTABLE), status)


def at_bounds(values, ends):
    """Whether values stand at the lower, and at the upper of two ends (bool)."""
    near = 4.0 * torch.finfo(values.dtype).eps
    low = values <= ends[0] + near * abs(ends[0])
    return low, ~low & (values >= ends[1] - near * abs(ends[1]))
