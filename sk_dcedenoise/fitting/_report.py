"""Columns of the result: parameters, standard errors, quality and status."""

import torch

from sk_dcedenoise.fitting._design import Design
from sk_dcedenoise.fitting._errors import standard_errors
from sk_dcedenoise.fitting._status import status_of

# Values of one array of the curves whose errors are worked out together.
_BLOCK_VALUES = 2**17


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
        self.design = protocol.cached(Design, device) if self.needs_curves else None

    def __call__(self, rows, curves, weights, fit):
        """Write the rows (a slice or indices) of one batch."""
        protocol = self.protocol
        columns = fit.parameters(protocol.box)
        if "status" in self.outputs:
            columns["status"] = status_of(columns, protocol.box, protocol.fitted)
        if self.needs_curves:
            columns |= self._errors(curves, weights, columns)
        for place, name in enumerate(self.outputs):
            self.result[rows, place] = columns[name].cpu().numpy()

    def _errors(self, curves, weights, parameters):
        """Standard errors and goodness of fit, worked out in blocks of bounded size."""
        step = max(1, _BLOCK_VALUES // curves.shape[1])
        common = torch.as_tensor(self.protocol.weights, device=curves.device)
        blocks = []
        for begin in range(0, len(curves), step):
            part = slice(begin, begin + step)
            own = common if weights is None else weights[part]
            some = {name: values[part] for name, values in parameters.items()}
            blocks.append(standard_errors(self.design, curves[part], own, some, self.protocol))
        return {name: torch.cat([block[name] for block in blocks]) for name in blocks[0]}
