from __future__ import annotations

import torch
import torch.nn.functional as F

from pictaxa.models.residual_blocks import Bottleneck
from pictaxa.models.resnet import SIZES


def test_the_three_forms_of_a_resnext_block_are_one():
    """Xie et al. 2016, figure 3: summed paths, concatenated paths and a grouped convolution compute the same."""
    torch.manual_seed(0)
    form = SIZES["resnext50_32x4d"]
    block = Bottleneck(256, 64, stride=1, form=form, project=False).double().eval()
    images = torch.randn(2, 256, 7, 7, dtype=torch.float64)

    def norm(maps: torch.Tensor, bn: torch.nn.BatchNorm2d, part: slice) -> torch.Tensor:
        assert bn.running_mean is not None and bn.running_var is not None
        return F.batch_norm(
            maps, bn.running_mean[part], bn.running_var[part], bn.weight[part], bn.bias[part], eps=bn.eps
        )

    paths = []
    for group in range(32):
        part = slice(4 * group, 4 * group + 4)
        out = F.relu(norm(F.conv2d(images, block.conv1.weight[part]), block.bn1, part))
        out = F.relu(norm(F.conv2d(out, block.conv2.weight[part], padding=1), block.bn2, part))
        paths.append((out, part))
    whole = slice(0, 256)
    # (a) each path has its own 1x1 up, and the results are summed
    summed = torch.stack([F.conv2d(out, block.conv3.weight[:, part]) for out, part in paths]).sum(0)
    a = F.relu(norm(summed, block.bn3, whole) + images)
    # (b) the paths are concatenated before one 1x1 up
    joined = F.conv2d(torch.cat([out for out, _ in paths], dim=1), block.conv3.weight)
    b = F.relu(norm(joined, block.bn3, whole) + images)
    # (c) the block itself: a grouped convolution
    c = block(images)
    assert torch.allclose(a, c, atol=1e-12) and torch.allclose(b, c, atol=1e-12)


def test_the_stride_sits_where_the_form_says():
    """v1.5 halves in the 3x3, v1 and the course in the first 1x1."""
    for name, first, second in (("resnet50", 1, 2), ("resnet50_v1", 2, 1), ("resnet50_course", 2, 1)):
        block = Bottleneck(256, 128, stride=2, form=SIZES[name], project=True)
        assert (block.conv1.stride[0], block.conv2.stride[0]) == (first, second)
