"""Losses of the papers that PyTorch does not have."""

from torch import nn


class SSDMADLoss(nn.Module):
    """Sum of squared differences plus a weighted maximum squared difference, per curve.

    Parameters
    ----------
    max_weight : float, default=50.0
        Weight of the largest squared difference of a curve, for curves of 512 samples; it is
        scaled by ``n_times / 512``, which keeps the published balance of the two terms.

    References
    ----------
    .. [1] F. P. Romero, D. C. Pinol, C. R. Vazquez-Seisdedos, "DeepFilter: an ECG baseline wander
       removal filter using deep learning techniques", Biomed. Signal Process. Control 70, 102992,
       2021 (the loss is in the authors' code).
    """

    def __init__(self, max_weight=50.0):
        super().__init__()
        self.max_weight = max_weight

    def forward(self, prediction, target):
        squared = (prediction - target) ** 2
        weight = self.max_weight * target.shape[-1] / 512
        return (squared.sum(dim=-1) + weight * squared.amax(dim=-1)).mean()
