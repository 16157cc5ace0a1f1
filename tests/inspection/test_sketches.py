from __future__ import annotations

import torch
import torch.nn.functional as F

from pictaxa.inspection.sketches import CROPS, THUMB, VIEW, crop_views, mirror_signs, sketch


def test_crops_are_what_a_grid_of_points_samples():
    """Products of matrices give what torch samples between pixels, the border repeated beyond, for any crop."""
    draws = torch.Generator().manual_seed(0)
    thumbs = torch.randint(0, 256, (50, THUMB, THUMB), generator=draws).float()
    crops = CROPS[torch.randint(0, len(CROPS), (50,), generator=draws)] + 0.05 * torch.randn(50, 3, generator=draws)
    part, x, y = crops.unbind(dim=1)
    matrices = torch.stack([part, 0 * x, x, 0 * y, part, y], dim=1).view(50, 2, 3)
    grid = F.affine_grid(matrices, [50, 1, THUMB, THUMB], align_corners=False)
    sampled = F.grid_sample(thumbs[:, None], grid, align_corners=False, padding_mode="border")
    expected = F.avg_pool2d(sampled, THUMB // VIEW)[:, 0]
    assert torch.allclose(crop_views(thumbs, crops), expected, atol=0.005)  # of grey levels, 0 to 255
    one = crop_views(thumbs, CROPS[3:4])
    assert torch.allclose(one, crop_views(thumbs, CROPS[3:4].expand(50, 3)), atol=0.005)


def test_a_mirrored_view_has_other_signs():
    """The sketch of a mirror image is the picture's with the signs of odd columns changed."""
    views = torch.rand(5, VIEW, VIEW, generator=torch.Generator().manual_seed(0)) * 255
    mirrored = sketch(views.flip(-1), count=8, power=0.5)
    assert torch.allclose(mirrored, sketch(views, count=8, power=0.5) * mirror_signs(8), atol=1e-5)
