"""Columns of the result: parameters, standard errors, quality and status."""

import torch

from ._design import Design
from ._errors import standard_errors
from ._status import status_of


class Report:
    """Writes the chosen columns of the result for one batch of curves after the other.

    Parameters
    ----------
    protocol : Protocol
        Frame times, plasma curve, weights, box and model.
    outputs : list of str
        Names of the columns.
    result : ndarray of shape (n_curves, n_outputs)
        Where to write.
    device : torch.device
        Where to compute.
    """

    def __init__(self, protocol, outputs, result, device):
        self.protocol, self.outputs, self.result = protocol, outputs, result
        self.needs_curves = any(n.endswith("_se") or n in ("residual_std", "r2") for n in outputs)
        self.design = Design(protocol, device) if self.needs_curves else None

    def __call__(self, rows, curves, weights, fit):
        """Write the rows (a slice or indices) of one batch."""
        protocol = self.protocol
        columns = fit.parameters(protocol.box)
        if "status" in self.outputs:
            columns["status"] = status_of(columns, protocol.box, protocol.fitted)
        if self.needs_curves:
            weights = torch.as_tensor(protocol.weights) if weights is None else weights
            columns |= standard_errors(self.design, curves, weights, columns, protocol)
        for place, name in enumerate(self.outputs):
            self.result[rows, place] = columns[name].cpu().numpy()
