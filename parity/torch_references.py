"""References from torchvision and timm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import timm
import torch
import torch.nn.functional as F
import torchvision
from cases import OWN_STATISTICS, Case, Reference, pictures_for, torch_forward, torch_step
from safetensors.torch import save_file
from torch import nn

from pictaxa.config.learning import Source
from pictaxa.models import efficientnet_lite
from pictaxa.models.contract import Classifier
from pictaxa.models.zoo import TIMM, find_entry
from pictaxa.weights.loading import load_weights


class TorchReference:
    """torchvision or timm."""

    def __init__(self, module: nn.Module, case: Case, *, mean: Any, std: Any) -> None:
        self.module = module.eval()
        self.case = case
        self.mean = torch.tensor(mean).view(1, -1, 1, 1)
        self.std = torch.tensor(std).view(1, -1, 1, 1)
        self._randomise()
        self.parameters = sum(parameter.numel() for parameter in module.parameters())

    def _randomise(self) -> None:
        """Random scales, shifts, biases and statistics; see Case.own_statistics."""
        generator = torch.Generator().manual_seed(1)
        norms = [part for part in self.module.modules() if isinstance(part, nn.BatchNorm2d)]
        for part in self.module.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.weight.data.uniform_(0.5, 1.5, generator=generator)
                assert part.running_mean is not None and part.running_var is not None
                part.running_mean.uniform_(-0.1, 0.1, generator=generator)
                part.running_var.uniform_(0.5, 1.5, generator=generator)
            if isinstance(part, (nn.BatchNorm2d, nn.Linear, nn.Conv2d)) and part.bias is not None:
                part.bias.data.uniform_(-0.1, 0.1, generator=generator)
        for parameter in self.module.parameters():
            if not parameter.any():  # a transformer's head, class token and biases start at zero: nothing to compare
                parameter.data.normal_(std=0.02, generator=generator)
        if norms and self.case.own_statistics:
            momenta = [norm.momentum for norm in norms]
            for norm in norms:
                norm.momentum = 1.0
            self.module.train()
            with torch.no_grad():
                self._logits(torch.from_numpy(pictures_for(self.case, count=4, seed=3)[0]))
            self.module.eval()
            for norm, momentum in zip(norms, momenta, strict=True):
                norm.momentum = momentum
                assert norm.running_mean is not None and norm.running_var is not None
                shaken = torch.empty_like(norm.running_mean)
                norm.running_mean += shaken.uniform_(-0.05, 0.05, generator=generator) * norm.running_var.sqrt()
                norm.running_var *= shaken.uniform_(0.9, 1.1, generator=generator)

    def give_weights(self, model: Classifier) -> None:
        """Through a file, as each library keeps its own: `.pth` of torchvision, `.safetensors` of timm."""
        source: Source = "timm" if self.case.reference.startswith("timm") else "torchvision"
        state = {name: value.clone().contiguous() for name, value in self.module.state_dict().items()}
        with TemporaryDirectory() as folder:
            file = Path(folder) / ("weights.safetensors" if source == "timm" else "weights.pth")
            save_file(state, file) if source == "timm" else torch.save(state, file)
            load_weights(model, file, source=source)
        model.mean.copy_(self.mean.flatten())
        model.std.copy_(self.std.flatten())

    def _logits(self, images: torch.Tensor) -> torch.Tensor:
        return self.module((images - self.mean.to(images.dtype)) / self.std.to(images.dtype))

    def close(self) -> None:
        pass  # nothing is held

    def heads(self, images: np.ndarray) -> list[np.ndarray]:
        with torch.no_grad():
            found = [self._logits(torch.from_numpy(images))]
            if getattr(self.module, "aux_logits", False):
                self.module.training = True  # only the outermost: it returns the heads, all else stays in eval mode
                out = self._logits(torch.from_numpy(images))
                self.module.training = False
                # torchvision gives (logits, aux2, aux1) for GoogLeNet and (logits, aux) for Inception v3
                found += list(reversed([head for head in out[1:] if head is not None]))
        return [logits.numpy() for logits in found]

    def gradient(self, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        pictures = torch.from_numpy(images.astype(np.float64)).requires_grad_()
        self.module.double()
        F.cross_entropy(self._logits(pictures), torch.from_numpy(labels)).backward()
        self.module.float().zero_grad(set_to_none=True)
        assert pictures.grad is not None
        return pictures.grad.numpy()

    def forward(self, images: np.ndarray) -> Callable[[], None]:
        return torch_forward(self.module, images)

    def train_step(self, images: np.ndarray, labels: np.ndarray) -> Callable[[], None]:
        def loss(pictures: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            out = self.module((pictures - self.mean) / self.std)
            heads = [out] if isinstance(out, torch.Tensor) else [head for head in out if head is not None]
            return torch.stack([F.cross_entropy(head, targets) for head in heads]).sum()

        return torch_step(self.module, loss, images, labels)


IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def _torchvision(entry: str, name: str = "", **options: Any) -> Case:
    def build(case: Case) -> Reference:
        torch.manual_seed(0)
        module = torchvision.models.get_model(name or entry, weights=None, **options)
        return TorchReference(module, case, mean=IMAGENET[0], std=IMAGENET[1])

    size = 299 if entry == "inception_v3" else 224
    family = find_entry(entry).family
    return Case(
        entry, f"torchvision {name or entry}", build,
        size=size, own_statistics=family in OWN_STATISTICS, gradient=family != "vit",
    )  # fmt: skip


def _timm(entry: str, name: str, **more: Any) -> Case:
    def build(case: Case) -> Reference:
        torch.manual_seed(0)
        module = timm.create_model(name, pretrained=False, num_classes=case.classes)
        return TorchReference(module, case, mean=HALF[0], std=HALF[1])

    own = find_entry(entry).family in OWN_STATISTICS
    return Case(entry, f"timm {name}", build, own_statistics=own, **more)


def _any_timm(name: str, size: int) -> Case:
    """A model that only timm has, behind our contract."""

    def build(case: Case) -> Reference:
        torch.manual_seed(0)
        module = timm.create_model(name, pretrained=False, num_classes=case.classes)
        return TorchReference(module, case, mean=module.pretrained_cfg["mean"], std=module.pretrained_cfg["std"])

    return Case(TIMM + name, f"timm {name}", build, classes=10, size=size, gradient=False)


CASES: tuple[Case, ...] = (
    _torchvision("alexnet_owt", "alexnet"),
    *(_torchvision(f"vgg{depth}{bn}") for depth in (11, 13, 16, 19) for bn in ("", "_bn")),
    _torchvision("googlenet_bn", "googlenet", init_weights=True),
    _torchvision("inception_v3", init_weights=True),
    *(_torchvision(f"resnet{depth}") for depth in (18, 34, 50, 101, 152)),
    *(_torchvision(name) for name in ("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d")),
    _timm(
        "mobilenet_v1", "mobilenetv1_100", options={"padding": "symmetric", "epsilon": 1e-5},
    ),
    _torchvision("mobilenet_v2"),
    _torchvision("mobilenet_v3_small"),
    _torchvision("mobilenet_v3_large"),
    _timm("mobilenet_v2", "mobilenetv2_100"),
    _timm("mobilenet_v3_small", "mobilenetv3_small_100", options={"epsilon": 1e-5}),
    _timm("mobilenet_v3_large", "mobilenetv3_large_100", options={"epsilon": 1e-5}),
    *(_timm(name, f"tf_{name}", size=find_entry(name).size) for name in efficientnet_lite.SIZES),
    *(_torchvision(f"vit_{size}_{patch}") for size in ("b", "l") for patch in (16, 32)),
    _timm("vit_b_16", "vit_base_patch16_224", gradient=False),
    _timm("vit_b_32", "vit_base_patch32_224", gradient=False),
    _timm("vit_l_16", "vit_large_patch16_224", gradient=False),
    _timm("vit_l_32", "vit_large_patch32_224", gradient=False),
    _timm("vit_h_14", "vit_huge_patch14_224", gradient=False, tolerance=1e-3),
    _timm("vit_r50_b_16", "vit_base_r50_s16_224", gradient=False),
    _timm("vit_r50_b_16", "vit_base_r50_s16_384", gradient=False, size=384, options={"size": 384}),
    _timm("vit_r50_l_32", "vit_large_r50_s32_224", gradient=False),
    _any_timm("convnext_atto", 224),  # maps
    _any_timm("swin_tiny_patch4_window7_224", 224),  # maps with channels last
    _any_timm("deit_tiny_patch16_224", 224),  # tokens
)  # fmt: skip
