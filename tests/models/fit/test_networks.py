"""Networks by name, and the weights they start from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tests.models.fit.learnable import TINY
from torch import nn

from figureground.core.errors import InputError
from figureground.models.fit.networks import (
    Network,
    build_network,
    find_architecture,
    load_encoder,
    logits_of,
    network_to_train,
    trained_spec,
)
from figureground.models.fit.options import FitOptions
from figureground.models.weights import read_state_dict

SMALL = "smp:unet/mobilenet_v2?decoder_channels=16,16,8,8,8"


def test_logits_have_the_size_of_the_picture_whatever_the_network_gives():
    """Half size, a mapping, and sides that are no multiple of the stride."""

    class Half(nn.Module):
        def forward(self, images):
            assert images.shape[-2:] == (12, 16)
            assert (images[..., 9:, :] == 0).all()
            return {"out": images[..., ::2, ::2], "aux": None}

    assert Network(Half(), stride_px=4)(torch.ones(2, 3, 9, 14)).shape == (2, 3, 9, 14)


def test_what_is_no_logits_is_refused():
    with pytest.raises(InputError, match=r"got a tensor \[2, 5\]"):
        logits_of(torch.zeros(2, 5))
    with pytest.raises(InputError, match="got dict"):
        logits_of({"logits": torch.zeros(1, 1, 1, 1)})


def test_an_architecture_of_smp_takes_its_own_settings():
    pytest.importorskip("segmentation_models_pytorch", reason="the extra 'smp' is not installed")
    network = build_network(find_architecture(SMALL), classes=5, seed=0)
    assert network.stride_px == 32
    assert network.network.segmentation_head[0].weight.shape[:2] == (5, 8)
    assert network.eval()(torch.zeros(1, 3, 40, 33)).shape == (1, 5, 40, 33)


def test_an_architecture_of_torchvision():
    network = build_network(find_architecture("torchvision:lraspp_mobilenet_v3_large"), classes=4, seed=0)
    assert network.eval()(torch.zeros(1, 3, 33, 40)).shape == (1, 4, 33, 40)


def test_random_weights_depend_on_the_seed_alone_and_leave_the_generator_alone():
    architecture = find_architecture(f"python:{TINY}:tiny")
    state = torch.random.get_rng_state()
    a, b, c = (build_network(architecture, classes=3, seed=seed).network[0].weight for seed in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("unet/resnet18", "must be smp:ARCHITECTURE/ENCODER"),
        ("smp:unett/resnet18", "with an architecture of"),
        ("smp:unet/resnet18?depth=3", "unknown setting `depth`"),
        ("torchvision:resnet50", "unknown network"),
        ("torchvision:fcn_resnet50?aux=1", "unknown setting `aux`. Known: none"),
        (f"python:{TINY}:absent", "absent"),
        ("python:nowhere/net.py:tiny", "there is no file nowhere/net.py"),
        (f"python:{TINY}:tiny?depth=3", "cannot be called with classes=3"),
        (f"python:{TINY}:no_module", "must return a torch module; it returned object"),
    ],
)
def test_what_cannot_be_built_is_one_clear_error(text, said):
    with pytest.raises(InputError) as error:
        build_network(find_architecture(text), classes=3, seed=0)
    assert said in str(error.value)


def test_python_settings_reach_the_function():
    network = build_network(find_architecture(f"python:{TINY}:tiny?width=4&norm=False"), classes=2, seed=0).network
    assert network[0].weight.shape[0] == 4
    assert isinstance(network[1], nn.Identity)


def small_encoder(tmp_path: Path, *, prefix: str = "", drop: str = "", extra: str = "") -> Path:
    """Weights of the encoder of another seed."""
    encoder = build_network(find_architecture(SMALL), classes=2, seed=9).network.encoder
    state = {f"{prefix}{name}": tensor for name, tensor in encoder.state_dict().items() if name != drop}
    path = tmp_path / "encoder.safetensors"
    save_file({**state, **({extra: torch.zeros(3)} if extra else {})}, path)
    return path


@pytest.mark.parametrize("prefix", ["", "encoder.", "module.", "network.encoder."])
def test_encoder_weights_are_found_under_any_prefix_and_a_classifier_is_left_out(tmp_path, prefix):
    pytest.importorskip("segmentation_models_pytorch", reason="the extra 'smp' is not installed")
    architecture = find_architecture(SMALL)
    network, other = (build_network(architecture, classes=2, seed=seed).network for seed in (0, 9))
    decoder = {name: tensor.clone() for name, tensor in network.decoder.state_dict().items()}
    notes = load_encoder(network, architecture, small_encoder(tmp_path, prefix=prefix, extra=f"{prefix}classifier.weight"))
    assert all(torch.equal(tensor, other.encoder.state_dict()[name]) for name, tensor in network.encoder.state_dict().items())
    assert all(torch.equal(tensor, decoder[name]) for name, tensor in network.decoder.state_dict().items())
    assert "classifier.weight" in notes[-1]


def test_encoder_weights_that_do_not_fit_are_one_clear_error(tmp_path):
    pytest.importorskip("segmentation_models_pytorch", reason="the extra 'smp' is not installed")
    architecture = find_architecture(SMALL)
    network = build_network(architecture, classes=2, seed=0).network
    with pytest.raises(InputError, match=r"do not fit the encoder of smp:unet/mobilenet_v2.*1 missing: features.0.0.weight"):
        load_encoder(network, architecture, small_encoder(tmp_path, drop="features.0.0.weight"))
    with pytest.raises(InputError, match="which part of python"):
        load_encoder(nn.Conv2d(3, 2, 1), find_architecture(f"python:{TINY}:tiny"), small_encoder(tmp_path))


def test_weights_of_the_whole_network_come_from_a_file_or_a_training(tmp_path):
    architecture = f"python:{TINY}:tiny"
    save_file(build_network(find_architecture(architecture), classes=3, seed=5).network.state_dict(), tmp_path / "weights.safetensors")
    for given in (tmp_path, tmp_path / "weights.safetensors", f"weights:{tmp_path}"):
        network, _ = network_to_train(FitOptions(architecture=architecture, weights=str(given)), classes=3)
        assert torch.equal(network.network[0].weight, read_state_dict(tmp_path / "weights.safetensors")[0]["0.weight"])
    with pytest.raises(InputError, match=r"weights.safetensors for python.*do not fit.*of another size: 6.weight"):
        network_to_train(FitOptions(architecture=architecture, weights=str(tmp_path)), classes=4)


@pytest.mark.slow
def test_imagenet_weights_fill_the_encoder_of_a_unet(real_data):
    pytest.importorskip("segmentation_models_pytorch", reason="the extra 'smp' is not installed")
    path = real_data / "weights" / "tf_efficientnet_lite0.imagenet1k.safetensors"
    options = FitOptions(architecture="smp:unet/tu-tf_efficientnet_lite0", encoder_weights=str(path), norm="half")
    network, notes = network_to_train(options, classes=3)
    state = read_state_dict(path)[0]
    assert torch.equal(network.network.encoder.state_dict()["model.conv_stem.weight"], state["conv_stem.weight"])
    assert "left out: 8 names" in notes[-1]
    with pytest.raises(InputError, match="do not fit the encoder of smp:unet/resnet18"):
        network_to_train(FitOptions(encoder_weights=str(path)), classes=3)


def test_the_spec_of_trained_weights_prepares_pictures_as_training_did():
    spec = trained_spec(
        "somewhere", FitOptions(architecture=f"python:{TINY}:tiny", size=48, norm="half"), classes=3, class_names=("a", "b", "c")
    )
    assert (spec.size_hw, spec.mean, spec.std, spec.stride_px, spec.classes) == ((48, 48), (0.5,) * 3, (0.5,) * 3, 1, 3)
    assert trained_spec("x", FitOptions(architecture=f"python:{TINY}:tiny", size=0), classes=3).size_hw is None
