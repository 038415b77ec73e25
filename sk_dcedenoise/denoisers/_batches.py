"""Whole batches of curves, by slices of tensors that lie on the device already."""

import copy
from itertools import pairwise

import torch
from skorch.dataset import Dataset

# Curves that are shuffled and get their noise together: enough that the cost per batch vanishes,
# few enough that the copy stays in the cache.
BLOCK = 16384

# Bytes that may go into and come out of one layer. On a CPU they have to stay in the cache: beyond
# it a curve takes up to twice as long. An accelerator only has to be kept busy.
LAYER_BYTES = {"cpu": 16 * 2**20}
LAYER_BYTES_ACCELERATOR = 512 * 2**20
FEWEST, MOST, MOST_ACCELERATOR = 64, 8192, 65536


class CurvePairs(Dataset):
    """Noisy and clean curves as two tensors of shape (n_curves, n_times)."""

    def __init__(self, X, y):
        # skorch's scoring callbacks take X out and hand it to `predict`, which otherwise expects
        # curves in the user's units.
        X.in_network_units = True
        super().__init__(X, y, length=len(X))


class TrainingBatches:
    """Shuffled batches, the noise redrawn in every pass if its law is given.

    Parameters
    ----------
    pairs : CurvePairs
        Training curves.
    batch_size : int
        Curves in a batch. A last batch of one curve joins the batch before it: batch normalisation
        cannot learn from a single curve.
    generator : torch.Generator
        Source of the shuffling and the noise, on the device of the curves.
    noise_law : NoiseLaw, default=None
        Law to draw fresh noise from; None keeps the noisy curves of the pairs.
    """

    def __init__(self, pairs, batch_size, generator, noise_law=None):
        self.X, self.y = pairs.X, pairs.y
        n_curves = len(self.X)
        self.edges = [*range(0, n_curves, batch_size), n_curves]
        if len(self.edges) > 2 and n_curves - self.edges[-2] == 1:
            del self.edges[-2]
        self.batches_per_block = max(BLOCK // batch_size, 1)
        self.generator = generator
        self.noise_law = noise_law

    def __len__(self):
        return len(self.edges) - 1

    def __iter__(self):
        order = torch.randperm(len(self.X), generator=self.generator, device=self.X.device)
        for i in range(0, len(self), self.batches_per_block):
            edges = self.edges[i : i + self.batches_per_block + 1]
            X, y = self._pairs(order[edges[0] : edges[-1]])
            sizes = [stop - start for start, stop in pairwise(edges)]
            yield from zip(X.split(sizes), y.split(sizes), strict=True)

    def _pairs(self, chosen):
        # Indexing with brackets goes element by element, which costs more than a small network.
        y = self.y.index_select(0, chosen)
        if self.noise_law is None:
            return self.X.index_select(0, chosen), y
        return y + self.noise_law.draw(y, self.generator), y


class OrderedBatches:
    """Batches of given curves, noisy and clean, in their order."""

    def __init__(self, pairs, batch_size):
        self.pairs = pairs
        self.batch_size = batch_size

    def __len__(self):
        return -(-len(self.pairs) // self.batch_size)

    def __iter__(self):
        X, y = self.pairs.X, self.pairs.y
        for start in range(0, len(X), self.batch_size):
            chosen = slice(start, start + self.batch_size)
            yield X[chosen], y[chosen]


def curves_at_a_time(values_per_curve, device):
    """Number of curves that a device denoises fastest at a time, a multiple of the fewest.

    Parameters
    ----------
    values_per_curve : int
        What :func:`widest_layer` found.
    device : torch.device
    """
    allowed = LAYER_BYTES.get(device.type, LAYER_BYTES_ACCELERATOR)
    most = MOST if device.type == "cpu" else MOST_ACCELERATOR
    fitting = allowed // (4 * values_per_curve)
    return max(min(fitting, most) // FEWEST, 1) * FEWEST


def widest_layer(module, n_times, device):
    """Most values that go into, come out of and are held in one layer, per curve."""
    widths = [1]

    def measure(layer, inputs, output):
        output = output[0] if isinstance(output, tuple) else output
        widths.append(inputs[0].numel() + (1 + _gates(layer)) * output.numel())

    module = copy.deepcopy(module).eval()  # the original keeps neither hooks nor mode
    for layer in module.modules():
        if not list(layer.children()):
            layer.register_forward_hook(measure)
    with torch.inference_mode():
        module(torch.zeros(1, n_times, device=device))
    return max(widths)


def _gates(layer):
    """Values that a recurrent layer works out for each one that it hands on; 0 for others."""
    if not isinstance(layer, torch.nn.RNNBase):
        return 0
    return layer.weight_ih_l0.shape[0] // layer.hidden_size
