"""A residual branch that training leaves out now and then (Huang et al., ECCV 2016)."""

from __future__ import annotations

from torch import Tensor, nn


class StochasticDepth(nn.Module):
    """Zeroes each image's [N, ...] branch with probability ``p`` in training and divides what is left by 1 - p, so that
    its expectation is the branch; in evaluation, or with ``p`` 0, it gives the branch as it is.

    torchvision's function; its module would make every user of the zoo wait for torchvision's import.
    """

    def __init__(self, p: float = 0.0) -> None:
        super().__init__()
        self.p = p

    def forward(self, branch: Tensor) -> Tensor:
        if not self.training or not self.p:
            return branch
        from torchvision.ops import stochastic_depth

        kept: Tensor = stochastic_depth(branch, self.p, "row")
        return kept

    def extra_repr(self) -> str:
        return f"p={self.p}"
