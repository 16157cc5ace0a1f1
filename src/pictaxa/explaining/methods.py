"""The methods of heat maps by their names, and which one a network is explained by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import torch

from ..errors import ConfigError, close_matches
from ..models.contract import Classifier
from .activation_maps import eigen_cam, grad_cam, grad_cam_plus_plus, score_cam
from .attending import attention_rollout
from .perturbed import integrated_gradients, occlusion

MethodName = Literal[
    "grad-cam", "grad-cam++", "score-cam", "eigen-cam", "integrated-gradients", "occlusion", "attention-rollout"
]
METHOD_NAMES: tuple[MethodName, ...] = get_args(MethodName)

DEFAULT: MethodName = "grad-cam"  # docs/measured/explaining.md says why

# (model, images (N, C, S, S), labels (N, K)) -> maps (N, K, h, w) of 0 and more
Mapping = Callable[[Classifier, torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Method:
    """A way to heat maps, and what it takes."""

    maps: Mapping
    by_class: bool = True  # whether classes have maps of their own
    slow: bool = False  # whether a picture takes a second rather than a few hundredths
    through_backbone: bool = False  # whether it takes gradients of the whole network, which a fused one hasn't


METHODS: dict[MethodName, Method] = {
    "grad-cam": Method(grad_cam),
    "grad-cam++": Method(grad_cam_plus_plus),
    "score-cam": Method(score_cam, slow=True),
    "eigen-cam": Method(eigen_cam, by_class=False),
    "integrated-gradients": Method(integrated_gradients, slow=True, through_backbone=True),
    "occlusion": Method(occlusion, slow=True),
    "attention-rollout": Method(attention_rollout, by_class=False),
}


def find_method(name: str) -> Method:
    """Find a method.

    Args:
        name: of METHOD_NAMES.

    Returns:
        The method.

    Raises:
        ConfigError: there is none of that name.

    Example:
        maps = find_method("grad-cam").maps(model, images, labels)
    """
    for known, method in METHODS.items():
        if known == name:
            return method
    raise ConfigError(f"--method {', '.join(METHOD_NAMES)}", found=repr(name), fix=close_matches(name, METHOD_NAMES))
