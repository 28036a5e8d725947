"""Networks of patches: their layout, heads and settings, what they show a segmentation loss, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from figureground.core.errors import InputError
from figureground.data.grids import to_pixels
from figureground.models.fit.networks import build_network, find_architecture, network_to_train
from figureground.models.fit.objectives import CrossEntropy
from figureground.models.fit.options import FitOptions
from figureground.models.grid import cells_of

pytest.importorskip("timm", reason="timm is not installed")
TEXT = "grid:test_efficientnet?rows=4&columns=6"
IMAGES = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 3, 37, 50)).astype(np.float32))


def network(text=TEXT, seed=0):
    return build_network(find_architecture(text), classes=2, seed=seed)


@pytest.mark.parametrize("head", ["pooled", "conv"])
def test_pixels_take_their_patch(head):
    """Channel 0 is the logit of its patch, channel 1 is 0; the softmax is the sigmoid of the patch. Any size of picture."""
    found = network(f"{TEXT}&head={head}").eval()
    with torch.inference_mode():
        cells, pixels = found.network.cells(IMAGES), found(IMAGES)
    assert cells.shape == (2, 4, 6)
    assert pixels.shape == (2, 2, 37, 50)
    assert not pixels[:, 1].any()
    for one, shown in zip(cells.numpy(), pixels[:, 0].numpy(), strict=True):
        assert np.array_equal(shown, to_pixels(one, (37, 50)))
    assert torch.allclose(pixels.softmax(1)[:, 0, 0, 0], cells[:, 0, 0].sigmoid())


def test_the_pooled_head_is_that_of_the_paper():
    head = network().network.head
    assert [type(part).__name__ for part in head] == ["Dropout", "Linear", "GELU", "Linear"]
    assert [list(part.weight.shape) for part in head if hasattr(part, "weight")] == [[512, 256], [24, 512]]
    assert head[0].p == 0.2


def test_the_loss_is_binary_cross_entropy_with_smoothed_targets():
    """Cross entropy over two channels, smoothed by 0.1, is BCE of the patches against 0.05 and 0.95."""
    cells = torch.tensor([[[1.5, -0.3], [0.2, 4.0]]])
    truth = torch.tensor([[[0, 1], [1, 0]]])  # class 0 is background
    pixels = cells.repeat_interleave(3, 1).repeat_interleave(3, 2)
    masks = truth.repeat_interleave(3, 1).repeat_interleave(3, 2)
    logits = torch.stack([pixels, torch.zeros_like(pixels)], 1)
    found = CrossEntropy(smoothing=0.1)(logits, masks, torch.zeros(1), torch.ones(1))
    target = torch.where(truth == 0, 0.95, 0.05)
    assert float(found) == pytest.approx(float(functional.binary_cross_entropy_with_logits(cells, target)), rel=1e-6)


def test_weights_depend_on_the_seed_and_gradients_reach_the_backbone():
    first, again, other = network(), network(), network(seed=1)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.network.head[1].weight, other.network.head[1].weight)
    first(IMAGES)[:, 0].mean().backward()
    assert all(weight.grad is not None for weight in first.network.backbone.parameters())


def test_backbone_weights_come_from_a_file(tmp_path, real_data):
    """ImageNet weights with timm's own names; the classifier is left out and said."""
    file = real_data / "weights" / "tf_efficientnet_lite0.imagenet1k.safetensors"
    options = FitOptions(architecture="grid:tf_efficientnet_lite0?rows=2&columns=2", encoder_weights=str(file))
    found, notes = network_to_train(options, classes=2)
    from safetensors.torch import load_file

    given = load_file(file)
    assert torch.equal(found.network.backbone.conv_stem.weight, given["conv_stem.weight"])
    assert "left out: 2 names, classifier" in notes[0]
    with pytest.raises(InputError, match=r"the weights do not fit the encoder of grid:test_resnet"):
        network_to_train(FitOptions(architecture="grid:test_resnet", encoder_weights=str(file)), classes=2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("grid:test_resnet?row=4", "unknown setting `row`. Known: rows, columns, head"),
        ("grid:", "names no place"),
        ("grid:test_resnet?rows=0", "whole numbers from 1 to 128; got 0 and 16"),
        ("grid:test_resnet?columns=129", "got 16 and 129"),
        ("grid:test_resnet?rows=x", "got x and 16"),
        ("grid:test_resnet?head=linear", "head must be pooled or conv; got 'linear'"),
        ("grid:no_such_network", "timm cannot build it"),
    ],
)
def test_what_cannot_be_is_refused(text, said):
    with pytest.raises(InputError, match=said.replace("(", r"\(")):
        network(text)


def test_there_are_two_classes():
    with pytest.raises(InputError, match="so there are two classes; got 3"):
        build_network(find_architecture(TEXT), classes=3, seed=0)
    assert cells_of(TEXT) == (4, 6)
    assert cells_of("smp:unet/resnet18") is None
