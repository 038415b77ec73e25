"""Where the tissues of the digital phantom lie: ellipsoids in shares of the volume's sides."""

import numpy as np

# Name, centre and half axes of each ellipsoid, later ones on top of earlier ones. The volume
# reaches from -1 to 1 along each axis; shapes wider than that along z are columns.
_SHAPES = (
    ("fat", (0.0, 0.0, 0.0), (0.92, 0.80, 9.0)),
    ("muscle", (0.0, 0.0, 0.0), (0.84, 0.72, 9.0)),
    ("gland", (0.0, 0.05, 0.0), (0.46, 0.38, 2.0)),
    ("lesion", (0.20, 0.12, 0.0), (0.19, 0.17, 1.3)),
    ("necrosis", (0.21, 0.12, 0.0), (0.08, 0.07, 0.7)),
    ("artery", (-0.62, 0.10, 0.0), (0.07, 0.07, 9.0)),
    ("artery", (0.62, 0.10, 0.0), (0.07, 0.07, 9.0)),
)


def phantom_labels(shape):
    """Return the label of each voxel (int16), and the names of the labels.

    Parameters
    ----------
    shape : tuple of int
        Voxels along x, y and z.

    Returns
    -------
    labels : ndarray of shape ``(*shape,)``
    names : list of str
    """
    names = ["air", *dict.fromkeys(name for name, _, _ in _SHAPES)]
    # Middles of the voxels.
    axes = np.meshgrid(*((2 * np.arange(n) + 1) / n - 1 for n in shape), indexing="ij")
    labels = np.zeros(shape, dtype=np.int16)
    for name, centre, half in _SHAPES:
        places = zip(axes, centre, half, strict=True)
        radius = sum(((axis - middle) / size) ** 2 for axis, middle, size in places)
        # However coarse the grid, the voxel nearest to a shape's middle belongs to it.
        labels[radius <= max(1.0, radius.min())] = names.index(name)
    return labels, names
