"""FSRCNN for super-resolution, as its depth-first case study runs it: valid convolutions on an inflated input."""

from __future__ import annotations

from torch import Tensor, nn

# ifmap channels, ofmap channels, kernel
LAYERS = ((1, 56, 5), (56, 12, 1), (12, 12, 3), (12, 12, 3), (12, 12, 3), (12, 12, 3), (12, 56, 1), (56, 16, 3))


class FSRCNN(nn.Module):
    """[N, 1, H + 14, W + 14] to [N, 16, H, W]: feature extraction, shrinking, mapping, expanding, sub-pixel output.

    No convolution is padded: the planes shrink from layer to layer, so that every word of a tile's halo exists (the
    form in which DeFiNES states its numbers).
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for in_channels, out_channels, kernel in LAYERS[:-1]:
            layers += [nn.Conv2d(in_channels, out_channels, kernel, bias=False), nn.ReLU()]
        in_channels, out_channels, kernel = LAYERS[-1]
        self.layers = nn.Sequential(*layers, nn.Conv2d(in_channels, out_channels, kernel, bias=False))

    def forward(self, images: Tensor) -> Tensor:
        result: Tensor = self.layers(images)
        return result


def fsrcnn() -> FSRCNN:
    """FSRCNN with valid convolutions (15,992 parameters)."""
    return FSRCNN()
