"""A digital phantom: a dynamic volume of tissues, a lesion and vessels, whose truth is known."""

import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.utils import Bunch

from sk_dcedenoise._validation import check_fraction, check_positive, check_time, check_whole_number
from sk_dcedenoise.aif import plasma_curve
from sk_dcedenoise.datasets._curves import _private_random_state
from sk_dcedenoise.datasets._phantom_shapes import phantom_labels
from sk_dcedenoise.signal import spgr_signal
from sk_dcedenoise.tofts import extended_tofts

# Medians of Ktrans (1/min), ve and vp, and T1 before contrast (s) and proton density, by label.
_TISSUES = {
    "fat": (0.015, 0.08, 0.004, 0.4, 0.9),
    "muscle": (0.06, 0.12, 0.012, 1.4, 0.7),
    "gland": (0.14, 0.30, 0.020, 1.6, 0.85),
    "lesion": (0.32, 0.40, 0.045, 1.5, 0.9),
    "necrosis": (0.05, 0.50, 0.006, 1.9, 1.0),
}
# Standard deviations of the logarithms of Ktrans, ve and vp within a tissue.
_SPREAD = (0.25, 0.15, 0.30)
_BLOOD = (1.65, 0.95)
# Width of the smooth texture of a tissue, in shares of the volume's sides.
_TEXTURE = 0.025
_VOXELS_AT_ONCE = 16_384


def make_dce_phantom(
    shape=(128, 128, 8),
    *,
    time=None,
    aif="parker",
    bolus=20.0,
    hematocrit=0.42,
    max_delay=3.0,
    noise_std=0.03,
    TR=0.005,
    flip_angle=15.0,
    r1=4.5,
    random_state=None,
):
    """Make a dynamic volume of a body section without motion, and the maps that it was made from.

    An ellipse of fat around muscle, a gland in its middle, in the gland a lesion with a necrotic
    core, two arteries, and air around all. In a tissue the kinetic parameters vary smoothly from
    voxel to voxel, log-normally around its medians; the bolus arrives later the farther a voxel
    lies from the arteries. Each voxel is the extended Tofts model of its parameters, an artery the
    blood itself. The noise is that of a scanner: of one size everywhere.

    Parameters
    ----------
    shape : tuple of int, default=(128, 128, 8)
        Voxels along x, y and z; at least 16, 16 and 1.
    time : array-like of shape (n_times,), default=None
        Frame times in seconds. None means 40 frames, 5 s apart, the first at 0.
    aif : str, array-like of shape (n_times,), pair of arrays or callable, default="parker"
        The plasma curve, as :func:`~sk_dcedenoise.aif.plasma_curve` takes it. A formula is counted
        from `bolus`, values at hand are on the clock of the scan.
    bolus : float, default=20.0
        Seconds at which the bolus reaches the arteries.
    hematocrit : float in [0, 1), default=0.42
        An artery's voxel shows blood, ``1 - hematocrit`` times the plasma curve.
    max_delay : float, default=3.0
        Delay of the bolus, in seconds, where it is longest.
    noise_std : float, default=0.03
        Standard deviation of the noise in mM; 0 for none.
    TR : float, default=0.005
        Repetition time of the signals in s.
    flip_angle : float, default=15.0
        Flip angle of the signals in degrees.
    r1 : float, default=4.5
        Relaxivity of the contrast agent in 1/s/mM.
    random_state : int, RandomState instance or None, default=None
        Seed of textures and noise. None draws fresh entropy; NumPy's global generator is left
        alone.

    Returns
    -------
    phantom : :class:`~sklearn.utils.Bunch`
        - ``concentration``: noisy mM, float32 of shape ``(*shape, n_times)``;
        - ``clean``: the same without noise;
        - ``signal``: noisy magnitude of a spoiled gradient echo, float32, any unit;
        - ``labels``: 0 air, and the place in ``names`` for all else;
        - ``names``: "air", "fat", "muscle", "gland", "lesion", "necrosis", "artery";
        - ``tissue``, ``lesion``, ``artery``: masks; tissue is all but air and arteries, the
          lesion is its enhancing part;
        - ``maps``: true ``Ktrans`` and ``kep`` (1/min), ``ve``, ``vp`` and ``delay`` (s) by name,
          NaN outside tissue;
        - ``T10``: s, NaN in air;
        - ``time``: s; ``aif``: the plasma curve as a tuple, s and mM;
        - ``protocol``: ``TR``, ``flip_angle``, ``r1`` and ``n_baseline``, the number of frames
          before the bolus.

    Raises
    ------
    ValueError
        If the shape is too small, or a setting is out of its range.

    See Also
    --------
    sk_dcedenoise.volumes.save_phantom : The phantom as NIfTI files.

    Notes
    -----
    Medians of Ktrans (1/min), ve, vp: fat 0.015, 0.08, 0.004; muscle 0.06, 0.12, 0.012; gland
    0.14, 0.30, 0.02; lesion 0.32, 0.40, 0.045; necrosis 0.05, 0.50, 0.006. They lie in the ranges
    of the digital phantoms of QIBA [1]_ and are those of no particular patient; logarithms vary by
    0.25, 0.15 and 0.30 (standard deviations).

    Concentrations have white Gaussian noise, and negative ones are kept. Signals have Rician noise
    of the size that gives the same standard deviation in mM to muscle before the bolus; strong
    enhancement makes the concentration computed from them noisier than that.

    References
    ----------
    .. [1] Quantitative Imaging Biomarkers Alliance, "DCE-MRI quantification profile" and its
       digital reference objects, RSNA.

    Examples
    --------
    >>> from sk_dcedenoise.datasets import make_dce_phantom
    >>> phantom = make_dce_phantom((32, 32, 2), random_state=0)
    >>> phantom.concentration.shape
    (32, 32, 2, 40)
    >>> bool(phantom.maps.Ktrans[phantom.lesion].mean() > 0.2)
    True
    """
    shape = _check_shape(shape)
    time = 5.0 * np.arange(40) if time is None else check_time(time)
    check_fraction(hematocrit, "hematocrit")
    for value, name in ((bolus, "bolus"), (max_delay, "max_delay"), (noise_std, "noise_std")):
        check_positive(value, name, allow_zero=True)
    rng = _private_random_state(random_state)
    nodes = _plasma(aif, time, bolus)
    labels, names = phantom_labels(shape)
    phantom = Bunch(labels=labels, names=names, time=time, aif=nodes)
    phantom.artery = labels == names.index("artery")
    phantom.tissue = (labels > 0) & ~phantom.artery
    phantom.lesion = labels == names.index("lesion")
    phantom.maps = _true_maps(phantom, max_delay, rng)
    phantom.clean = _clean_volume(phantom, hematocrit)
    noise = noise_std * rng.standard_normal(phantom.clean.shape)
    phantom.concentration = (phantom.clean + noise).astype(np.float32)
    n_baseline = int(np.searchsorted(time, bolus))
    phantom.protocol = Bunch(TR=TR, flip_angle=flip_angle, r1=r1, n_baseline=n_baseline)
    phantom.T10, phantom.signal = _noisy_signal(phantom, noise_std, rng)
    return phantom


def _check_shape(shape):
    shape = tuple(shape)
    if len(shape) != 3:
        raise ValueError(f"shape={shape}, but expected three numbers of voxels, x, y and z.")
    leasts = zip(shape, "xyz", (16, 16, 1), strict=True)
    return tuple(check_whole_number(n, f"shape in {axis}", least=m) for n, axis, m in leasts)


def _plasma(aif, time, bolus):
    """Nodes of the plasma curve on the scan's clock."""
    # Asked for as if the bolus began at zero; a measured curve is on the frames already.
    since = time - bolus if isinstance(aif, str) or callable(aif) else time
    aif_time, cp = plasma_curve(aif, since)
    begin = 0.0 if since is time else bolus
    keep = aif_time >= 0.0 if begin else slice(None)
    return aif_time[keep] + begin, cp[keep]


def _true_maps(phantom, max_delay, rng):
    """Maps of the parameters, NaN outside tissue."""
    shape, inside = phantom.labels.shape, phantom.tissue
    medians = np.full((3, len(phantom.names)), np.nan)
    for place, name in enumerate(phantom.names):
        if name in _TISSUES:
            medians[:, place] = _TISSUES[name][:3]
    maps = Bunch()
    for name, median, spread in zip(("Ktrans", "ve", "vp"), medians, _SPREAD, strict=True):
        texture = _smooth_field(shape, _TEXTURE, rng)
        maps[name] = median[phantom.labels] * np.exp(spread * texture)
    maps["kep"] = maps["Ktrans"] / maps["ve"]
    far = _distance_to(phantom.artery)
    maps["delay"] = np.where(inside, max_delay * far / max(far[inside].max(), 1.0), np.nan)
    return maps


def _smooth_field(shape, width, rng):
    """A random field of mean 0 and standard deviation 1, smooth within the slices and across."""
    field = gaussian_filter(rng.standard_normal(shape), [width * n for n in shape], mode="wrap")
    return (field - field.mean()) / field.std()


def _distance_to(artery):
    """In-plane distance, in voxels, to the nearest artery's middle."""
    x, y = np.indices(artery.shape[:2])
    columns = artery.any(axis=2)
    nearest = np.full(columns.shape, np.inf)
    for half in (x < columns.shape[0] / 2, x >= columns.shape[0] / 2):
        here = columns & half
        distance = np.hypot(x - x[here].mean(), y - y[here].mean())
        nearest = np.minimum(nearest, distance)
    return np.broadcast_to(nearest[..., None], artery.shape)


def _clean_volume(phantom, hematocrit):
    """Concentrations without noise, in bounded memory beside the result."""
    time, nodes = phantom.time, phantom.aif
    clean = np.zeros((*phantom.labels.shape, time.size), dtype=np.float32)
    clean[phantom.artery] = (1.0 - hematocrit) * np.interp(time, *nodes, left=0.0)
    where = np.flatnonzero(phantom.tissue)
    flat = clean.reshape(-1, time.size)
    for start in range(0, where.size, _VOXELS_AT_ONCE):
        rows = where[start : start + _VOXELS_AT_ONCE]
        p = {name: values.ravel()[rows] for name, values in phantom.maps.items()}
        flat[rows] = extended_tofts(
            time, p["Ktrans"], p["ve"], p["vp"], aif=nodes, delay=p["delay"]
        )
    return clean


def _noisy_signal(phantom, noise_std, rng):
    """T1 before contrast, and the magnitude signal with Rician noise."""
    by_name = {name: values[3:] for name, values in _TISSUES.items()} | {"artery": _BLOOD}
    T1, density = np.array([by_name.get(name, (np.nan, 0.0)) for name in phantom.names]).T
    sequence = {name: phantom.protocol[name] for name in ("TR", "flip_angle", "r1")}
    muscle = _TISSUES["muscle"]
    slope = spgr_signal([0.0, 1e-3], **sequence, T10=muscle[3], S0=muscle[4])
    sd = noise_std * np.diff(slope)[0] / 1e-3
    signal = np.zeros(phantom.clean.shape, dtype=np.float32)
    for place, name in enumerate(phantom.names):
        where = phantom.labels == place
        if name in by_name:
            tissue = {"T10": T1[place], "S0": density[place]}
            signal[where] = spgr_signal(phantom.clean[where], **sequence, **tissue)
        shape = signal[where].shape
        real = signal[where] + sd * rng.standard_normal(shape)
        signal[where] = 1000.0 * np.hypot(real, sd * rng.standard_normal(shape))
    return T1[phantom.labels], signal
