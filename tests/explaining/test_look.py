from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import pictaxa
from pictaxa.augment.policy import find_policy
from pictaxa.augment.preprocess import Geometry
from pictaxa.cli.main import main
from pictaxa.explaining.drawing import draw as draw_sections
from pictaxa.explaining.exciting import most_exciting
from pictaxa.explaining.look import SHOWS, look_at
from pictaxa.explaining.look_page import ABOUT, look_page
from pictaxa.explaining.sections import Panel, Row, Section
from pictaxa.explaining.seen import attention, first_kernels, position_similarity, stages, strongest, unit_fields
from pictaxa.explaining.subject import EntryWeights, find_subject
from pictaxa.explaining.varied import vary
from pictaxa.images.decode import square_of
from pictaxa.models.zoo import create_model
from pictaxa.runs.folder import open_run
from pictaxa.system.language import speaking

Make = Callable[..., Path]
Draw = Callable[..., Image.Image]
Say = pytest.CaptureFixture[str]


@pytest.fixture
def image() -> torch.Tensor:
    return torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_kernels_are_the_first_layers():
    """As they are where they are few; a transformer's as principal components, each with its own scale."""
    model = create_model("resnet18", 2)
    kernels, components = first_kernels(model)
    assert kernels.shape == (64, 7, 7, 3) and not components
    weight = model.get_parameter("conv1.weight").detach()
    assert np.allclose(kernels[5], 0.5 + 0.5 * (weight[5] / weight[5].abs().max()).permute(1, 2, 0).numpy(), atol=1e-6)
    kernels, components = first_kernels(create_model("vit_b_32", 2))
    assert kernels.shape == (28, 32, 32, 3) and components


def test_stages_are_the_last_maps_of_each_size(image: torch.Tensor):
    """A ResNet's stem, its pool with the first stage, and the other stages, as the model's own features end."""
    model = create_model("resnet18", 2).eval()
    with torch.no_grad():
        found = stages(model, image)
        features = model.features(image)
    assert [(stage.name, tuple(stage.maps.shape)) for stage in found] == [
        ("bn1", (64, 32, 32)), ("layer1", (64, 16, 16)), ("layer2", (128, 8, 8)), ("layer3", (256, 4, 4)),
        ("layer4", (512, 2, 2)),
    ]  # fmt: skip
    assert torch.equal(found[-1].maps, features[0])
    assert (found[0].maps >= 0).all()  # the ReLU behind the batch norm has been in its place


def test_the_strongest_channels_are_those_that_vary():
    """A constant channel is left out, and each is scaled by itself."""
    maps = torch.stack([torch.full((2, 2), 7.0), torch.tensor([[0.0, 1.0], [2.0, 4.0]])])
    (chosen,) = strongest(maps, count=1)
    assert np.allclose(chosen, [[0, 0.25], [0.5, 1]])


def test_attention_is_what_the_block_computes(image: torch.Tensor):
    """The weights of the heads, times the values, are the block's own mixture for the class token."""
    model = create_model("vit_b_16", 2, size=64).eval()
    seen: dict[str, torch.Tensor] = {}
    block = model.get_submodule("blocks.0.attn")
    hooks = [
        block.get_submodule(name).register_forward_pre_hook(
            lambda part, given, name=name: seen.update({name: given[0]})
        )
        for name in ("qkv", "proj")
    ]
    weights = attention(model, image)["blocks.0"]
    for hook in hooks:
        hook.remove()
    assert weights.shape == (12, 4, 4)
    qkv = block.get_submodule("qkv")(seen["qkv"])[0].detach().reshape(17, 3, 12, 64)
    values = qkv[:, 2].permute(1, 0, 2)  # (H, T, d)
    flat = torch.from_numpy(weights).reshape(12, 1, 16)
    own = 1 - flat.sum(dim=2, keepdim=True)  # the class token's weight of itself
    mixed = torch.cat([own, flat], dim=2) @ values  # (H, 1, d)
    assert torch.allclose(mixed.flatten(), seen["proj"][0, 0], atol=1e-4)
    assert attention(create_model("resnet18", 2).eval(), image) == {}


def test_positions_are_compared_by_cosine():
    """A patch is like itself; equal embeddings are as like as can be, opposite ones as unlike."""
    model = create_model("vit_b_16", 2, size=32)
    with torch.no_grad():
        positions = model.get_parameter("pos_embed")
        positions[0, 2], positions[0, 3] = 3 * positions[0, 1], -positions[0, 1]
    similarity = position_similarity(model)
    assert similarity is not None and similarity.shape == (2, 2, 2, 2)
    assert similarity[1, 1, 1, 1] == pytest.approx(1, abs=1e-5)
    assert similarity[0, 0, 0, 1] == pytest.approx(1, abs=1e-5) and similarity[0, 0, 1, 0] == pytest.approx(
        -1, abs=1e-5
    )
    assert position_similarity(create_model("lenet5", 2)) is None


def test_a_unit_sees_its_receptive_field_and_nothing_else():
    """Pixels outside the frame have no gradient, some within have."""
    model = create_model("vgg11", 2).eval()
    fields = unit_fields(model, torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    assert [field.pixels for field in fields[:3]] == [3, 8, 26]
    for field in fields[:3]:
        rows, columns = np.nonzero(field.gradient)
        reach = field.pixels / 2 + 1
        assert np.abs(rows + 0.5 - field.middle[0]).max() <= reach
        assert np.abs(columns + 0.5 - field.middle[1]).max() <= reach
        assert field.gradient.max() == 1


def test_every_unit_of_a_transformer_sees_the_whole_picture(image: torch.Tensor):
    """Its patches see themselves, and from the first block on each token sees all of them."""
    model = create_model("vit_b_32", 2, size=64).eval()
    fields = unit_fields(model, image)
    assert [field.name for field in fields] == ["patch_embed.proj", "blocks.0", "blocks.4", "blocks.7", "blocks.11"]
    assert [field.pixels for field in fields[:2]] == [32, float("inf")]
    assert (fields[0].gradient[:32, :32] == 0).all() and (fields[1].gradient[:32, :32] > 0).any()


def test_look_draws_a_run(backbone: Path, tmp_path: Path, capsys: Say):
    """Without a picture it takes one that the run keeps; what the network lacks is told."""
    out = tmp_path / "look.png"
    assert main(["look", str(backbone), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "kernels, features, channels, field, augmentation" in said and "attention: " in said
    with Image.open(out) as drawn:
        assert drawn.width > 1000 and len(drawn.convert("RGB").getcolors(1 << 24) or ()) > 100


def test_look_draws_an_entry(tmp_path: Path, make_photos: Make):
    """With fresh weights, a picture, and chosen parts; the Python function does the same."""
    picture = make_photos(tmp_path / "photos", {"a": 1}) / "a" / "0.png"
    seen = pictaxa.look("lenet5", picture, tmp_path / "new" / "a.png", show=["kernels", "features"], weights="none")
    assert seen.path.exists() and seen.shown == ("kernels", "features") and not seen.left_out


def test_without_a_picture_the_rest_is_drawn(tmp_path: Path):
    """An entry alone has kernels, and the reason for each of the others."""
    seen = look_at(find_subject("simple_cnn", weights=EntryWeights(Path("none"))), tmp_path / "a.png")
    assert seen.shown == ("kernels",) and len(seen.left_out) == len(SHOWS) - 1


def test_sections_are_drawn():
    """A section takes the height that its rows need."""
    panel = Panel(np.zeros((4, 4, 3)), title="a", heat=np.ones((4, 4)), box=(2, 2, 2))
    one = draw_sections("title", [Section("s", [Row("", [panel])], across=4)])
    two = draw_sections("title", [Section("s", [Row("label", [panel])] * 2, across=4)])
    assert two.get_size_inches()[1] > one.get_size_inches()[1] + 2


def test_what_excites_a_channel_is_found():
    """A channel that looks for red is excited by red pictures, and shows them where they are red."""
    model = create_model("vgg11", 2).eval()
    with torch.no_grad():
        first = model.get_parameter("convs.0.weight")
        first[7].zero_(), model.get_parameter("convs.0.bias")[7].zero_()
        first[7, 0, 1, 1], first[7, 1:, 1, 1] = 1.0, -1.0
    images = torch.rand(6, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 0.5
    images[4, :, 40:48, 8:16] = torch.tensor([1.0, 0.0, 0.0])[:, None, None]
    found = most_exciting(model, images, channels=64, patches=2)
    (seven,) = [one for one in found if one.stage == found[0].stage and one.channel == 7]
    patch = seven.patches[0]
    assert len(seven.patches) == 2 and patch.shape == (3, 3, 3)
    assert patch[1, 1, 0] == pytest.approx(1, abs=1e-6) and patch[1, 1, 1:].max() < 1e-6
    deepest = [one for one in found if one.stage == found[-1].stage]
    assert all(one.patches[0].shape[0] <= 64 for one in deepest)


def test_a_picture_is_varied_as_in_training(draw: Draw):
    """Views differ, operations have a row each, and everything is a picture of the input's size."""
    square = square_of(np.asarray(draw(0, 0, width=60, height=40)), name="a", side=48, channels=3)
    geometry = Geometry(square=48, channels=3, view="centre", size=32, tta="none")
    varied = vary(square, policy=find_policy("strong"), geometry=geometry, views=3)
    assert len(varied.views) == 3 and not np.array_equal(varied.views[0], varied.views[1])
    assert len(varied.operations) > 3 and all(title for title, _ in varied.operations)
    for picture in (*varied.views, *(one for _, row in varied.operations for one in row)):
        assert picture.shape == (32, 32, 3) and 0 <= picture.min() <= picture.max() <= 1


def test_look_writes_a_page_and_svg(backbone: Path, tmp_path: Path):
    """The page has each part with what one sees in it, in the language of messages; SVG keeps text as text."""
    page, drawing = tmp_path / "look.html", tmp_path / "look.svg"
    with speaking("zh"):
        seen = pictaxa.look(backbone, None, page)
    text = page.read_text(encoding="utf-8")
    assert text.count("<h2>") == len(seen.shown) + 1 and 'lang="zh-CN"' in text and "卷积核" in text
    assert text.count("data:image/png;base64,") == len(seen.shown) and 'src="http' not in text
    assert pictaxa.look(backbone, None, drawing, show=["kernels", "field"])._repr_html_().startswith("<p>")
    assert "first layer: " in drawing.read_text(encoding="utf-8")
    assert set(ABOUT) == set(SHOWS) and "<script>" not in look_page("<script>", {}, [])


def test_pictures_that_are_gone_excite_nothing(backbone: Path, tmp_path: Path):
    """The rest is drawn, and the reason is told."""
    root = Path(open_run(backbone).chosen.root)
    moved = root.rename(root.with_name("elsewhere"))
    try:
        seen = pictaxa.look(backbone, None, tmp_path / "look.png")
    finally:
        moved.rename(root)
    assert "channels" not in seen.shown and any("not where they were" in line for line in seen.left_out)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["resnet5"], "resnet50"),
        (["runs/none"], "a run folder or the name of a model"),
        (["lenet5", "--show", "field"], "picture"),
        (["lenet5", "--show", "positions"], "Vision Transformer"),
        (["lenet5", "--out", "a.gif"], ".png or .svg or .html"),
        (["lenet5", "--show", "channels"], "validation pictures"),
        (["lenet5", "nothing.jpg"], "nothing.jpg"),
        (["lenet5", "--weights", "imagenet"], "published"),
    ],
)
def test_mistakes_are_one_line(
    words: list[str], told: str, capsys: Say, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """What can't be looked at ends in one line and exit status 2."""
    monkeypatch.chdir(tmp_path)
    assert main(["look", *words]) == 2
    error = capsys.readouterr().err
    assert re.search(re.escape(told), error) and error.count("\n") == 1
