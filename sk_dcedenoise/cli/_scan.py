"""A scan as the commands see it, out of a table or a volume: curves, times, AIF, and a way back."""

from pathlib import Path

import numpy as np

from sk_dcedenoise._validation import check_finite_curves
from sk_dcedenoise.aif import NAMED_AIFS
from sk_dcedenoise.cli._read import read_aif, read_curves, read_T10, read_time
from sk_dcedenoise.cli._signal import check_signal_arguments, check_unit, concentrations
from sk_dcedenoise.cli._write import write_csv
from sk_dcedenoise.volumes import (
    aif_from_curves,
    load_dynamic,
    load_map,
    load_mask,
    save_curves,
    save_maps,
)
from sk_dcedenoise.volumes._file import is_nifti


def open_scan(args, *, min_times):
    """Return the scan that a command's arguments describe, with all its files checked."""
    check_signal_arguments(args)
    kind = VolumeScan if is_nifti(args.curves) else TableScan
    scan = kind(args, min_times)
    check_delay(args.delay, scan.frames)
    return scan


class TableScan:
    """Curves in the rows of a table.

    Attributes
    ----------
    curves : ndarray of shape (n_curves, n_times)
        mM.
    frames : ndarray of shape (n_times,)
        Seconds.
    aif : str, ndarray or tuple of two ndarrays
        As :func:`~sk_dcedenoise.aif.plasma_curve` takes it.
    mask : None
        A table has no grid.
    """

    mask = None

    def __init__(self, args, min_times):
        for option, given in (("--mask", args.mask), ("--artery-voxels", args.artery_voxels)):
            if given is not None:
                raise ValueError(
                    f"{option} was given for a table, but expected a NIfTI scan: leave it out."
                )
        values = read_curves(args.curves, args.key, min_times=min_times)
        self.frames = read_time(args.time, args.curves, values.shape[1])
        if is_nifti(args.aif):
            raise ValueError(
                f"--aif {args.aif} is a mask, but {args.curves} is a table without a grid: give "
                "the AIF itself."
            )
        self.aif = read_aif(args.aif, args.curves, tuple(NAMED_AIFS))
        T10 = read_T10(args.T10, args.curves, len(values)) if args.signal else None
        self.curves = concentrations(args, values, T10)
        check_finite_curves(self.curves, f"CURVES {args.curves}")

    def write_parameters(self, out, groups):
        """Write one row of parameters for each curve; what the groups say of them is left out."""
        columns = {name: values for group, _ in groups for name, values in group.items()}
        table = [column.tolist() for column in columns.values()]
        write_csv(out / "parameters.csv", list(columns), list(zip(*table, strict=True)))

    def write_curves(self, out, denoised):
        """Write denoised curves, one in each line."""
        write_csv(out / "curves.csv", [f"t={t:g}s" for t in self.frames], denoised)


class VolumeScan:
    """Curves of the voxels of a NIfTI volume.

    Attributes
    ----------
    curves, frames, aif
        As in :class:`TableScan`; curves hold NaN where the file does, and where no concentration
        explains a signal.
    mask : ndarray of shape (nx, ny, nz), bool
        Where the curves come from.
    volume : DynamicVolume
        The file.
    """

    def __init__(self, args, min_times):
        if args.key is not None:
            raise ValueError(
                f"CURVES {args.curves} has no keys, but {args.key!r} was asked for: leave --key "
                "out, or give an .npz file."
            )
        self.volume = _open_volume(args)
        self.frames = self.volume.time
        if self.frames.size < min_times:
            raise ValueError(
                f"CURVES {args.curves} has {self.frames.size} frames, but expected at least "
                f"{min_times}, one more than the kinetic model has parameters."
            )
        check_unit(args, self.volume.unit, args.curves)
        self.mask = load_mask(args.mask, self.volume) if args.mask else self.volume.varying()
        if not self.mask.any():
            raise ValueError(
                f"CURVES {args.curves} holds nothing that varies over time, but expected a scan."
            )
        values = self.volume.curves(self.mask).astype(np.float64)
        self.curves = concentrations(args, values, self._T10(args, self.mask))
        if not np.isfinite(self.curves).all(axis=1).any():
            raise ValueError(
                f"CURVES {args.curves} has NaN or infinity in every voxel of the mask, but "
                "expected finite values in most: check the mask."
            )
        self.aif = self._aif(args)

    def _T10(self, args, mask):
        if not args.signal:
            return None
        if is_nifti(args.T10):
            return load_map(args.T10, self.volume)[mask].astype(np.float64)
        return read_T10(args.T10, args.curves, np.count_nonzero(mask))

    def _aif(self, args):
        if not is_nifti(args.aif):
            if args.artery_voxels is not None:
                raise ValueError(
                    "--artery-voxels was given, but --aif is no mask of an artery: leave it out."
                )
            return read_aif(args.aif, args.curves, tuple(NAMED_AIFS))
        artery = load_mask(args.aif, self.volume)
        T10 = args.T10_blood if args.T10_blood else self._T10(args, artery)
        blood = concentrations(args, self.volume.curves(artery).astype(np.float64), T10)
        # A voxel of flowing blood at times has no concentration that explains it.
        return aif_from_curves(blood, n_voxels=args.artery_voxels, skip_nan=args.signal)

    def write_parameters(self, out, groups):
        """Write one map for each parameter, with what its group says in the sidecar."""
        for columns, notes in groups:
            save_maps(out, columns, self.mask, self.volume, notes=notes)

    def write_curves(self, out, denoised):
        """Write denoised curves on the grid of the scan."""
        save_curves(out / "denoised.nii.gz", denoised, self.mask, self.volume)


def _open_volume(args):
    """The file, with the times of --time where they are given."""
    if args.time is None:
        return load_dynamic(args.curves)
    # Its number of frames is needed to make sense of START:STEP.
    n_times = _n_frames(args.curves)
    return load_dynamic(args.curves, time=read_time(args.time, args.curves, n_times))


def _n_frames(path):
    from sk_dcedenoise.volumes._file import nibabel

    if not Path(path).is_file():
        return 1  # load_dynamic says that it is not there
    try:
        shape = nibabel().load(path).shape
    except Exception:
        return 1  # load_dynamic says what is wrong with it
    return shape[3] if len(shape) == 4 else 1


def check_delay(delay, frames):
    """Raise if the delays given are none that this scan could show."""
    if delay is not None and not -np.ptp(frames) < delay[0] <= delay[1] < np.ptp(frames):
        raise ValueError(
            f"--delay {delay[0]:g} {delay[1]:g} was given, but expected LOW HIGH in this order, "
            f"both shorter than the scan, {np.ptp(frames):g} s."
        )
