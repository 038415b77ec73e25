"""The kinetic fit of a scan's curves, in pieces with a progress bar."""

import numpy as np

_AT_ONCE = 8192


class KineticFit:
    """A model, its delays and what to find out about each curve.

    Parameters
    ----------
    model : {"extended_tofts", "tofts", "patlak"}
        Kinetic model.
    frames : ndarray of shape (n_times,)
        Frame times in s.
    nodes : tuple of two ndarrays
        Plasma curve, s and mM.
    delays : tuple of float
        Lowest and highest delay in s.
    errors : bool, default=True
        Whether standard errors, residual standard deviation and R2 are found as well.
    """

    def __init__(self, model, frames, nodes, delays, *, errors=True):
        from sk_dcedenoise.fitting import ToftsTransformer

        self.names = parameter_names(model, delays)
        self.n_params = len(self.names)
        rate = ["kep"] if model != "patlak" else []
        self.outputs = [*self.names, *rate]
        if errors:
            self.outputs += [f"{name}_se" for name in (*self.names, *rate)] + ["residual_std", "r2"]
        self.outputs.append("status")
        self._transformer = ToftsTransformer(
            frames, nodes, model=model, delay=tuple(delays), outputs=self.outputs
        ).fit(np.zeros((1, frames.size)))

    def columns(self, curves, title=None):
        """Return arrays by name, one value per curve; NaN where a curve cannot be fitted."""
        steps = range(0, len(curves), _AT_ONCE)
        rows = [
            self._transformer.transform(curves[i : i + _AT_ONCE]) for i in progress(steps, title)
        ]
        columns = dict(zip(self.outputs, np.concatenate(rows).T, strict=True))
        columns["status"] = columns["status"].astype(np.int16)
        return columns

    def curves(self, columns):
        """Return the curves of the model for columns, or for rows of them."""
        table = np.column_stack([columns[name] for name in self.outputs])
        return self._transformer.inverse_transform(table)


def parameter_names(model, delays):
    """Names of the parameters that are fitted; the delay only where it is not known."""
    from sk_dcedenoise.fitting._protocol import PARAMETERS

    return [*PARAMETERS[model], *(["delay"] if delays[0] < delays[1] else [])]


def progress(steps, title):
    """Steps with a progress bar, on standard error, if they have a title."""
    from tqdm import tqdm

    return tqdm(steps, desc=title, unit_scale=True, leave=False, disable=title is None)
