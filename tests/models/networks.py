"""Small networks with random weights, written to a folder by the tests themselves; each gives a spec and its weights file."""

from __future__ import annotations

from pathlib import Path

import pytest

CLASSES = 3


def write_smp(folder: Path) -> tuple[str, Path]:
    """A U-Net on MobileNetV2 with a thin decoder."""
    smp = pytest.importorskip("segmentation_models_pytorch", reason="the extra 'smp' is not installed")
    torch, save_file = _torch()
    torch.manual_seed(0)
    network = smp.Unet("mobilenet_v2", encoder_weights=None, classes=CLASSES, decoder_channels=(16, 16, 8, 8, 8))
    _settle(network)
    path = folder / "unet.safetensors"
    save_file(network.state_dict(), path)
    return f"smp:unet/mobilenet_v2?weights={path}&classes={CLASSES}&size=64x96&decoder_channels=16,16,8,8,8", path


def write_torchvision(folder: Path) -> tuple[str, Path]:
    """LR-ASPP on MobileNetV3."""
    zoo = pytest.importorskip("torchvision", reason="the extra 'torch' is not installed").models
    torch, save_file = _torch()
    torch.manual_seed(1)
    network = zoo.get_model("lraspp_mobilenet_v3_large", weights=None, weights_backbone=None, num_classes=CLASSES)
    _settle(network)
    path = folder / "lraspp.safetensors"
    save_file(network.state_dict(), path)
    return f"torchvision:lraspp_mobilenet_v3_large?weights={path}", path


def write_hf(folder: Path) -> tuple[str, Path]:
    """A SegFormer of a few thousand weights with its preprocessor configuration."""
    transformers = pytest.importorskip("transformers", reason="the extra 'hf' is not installed")
    torch, _ = _torch()
    torch.manual_seed(2)
    config = transformers.SegformerConfig(
        hidden_sizes=[8, 16, 16, 16],
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=16,
        id2label={0: "ground", 1: "cat", 2: "dog"},
        label2id={"ground": 0, "cat": 1, "dog": 2},
    )
    directory = folder / "segformer"
    transformers.SegformerForSemanticSegmentation(config).save_pretrained(directory)
    (directory / "preprocessor_config.json").write_text(
        '{"do_resize": true, "size": {"height": 64, "width": 96}, "resample": 2, "do_rescale": true, "rescale_factor": 0.00392156862745098,'
        ' "do_normalize": true, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "do_reduce_labels": false}'
    )
    return f"hf:{directory}", directory / "model.safetensors"


def write_onnx(folder: Path, *, fixed: bool = False) -> tuple[str, Path]:
    """One convolution with a stride of 2, of free or of fixed size."""
    onnx = pytest.importorskip("onnx", reason="the package 'onnx' is not installed")
    pytest.importorskip("onnxruntime", reason="the extra 'onnx' is not installed")
    import numpy as np

    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    rng = np.random.default_rng(3)
    weights = rng.normal(size=(CLASSES, 3, 3, 3)).astype(np.float32)
    size = [64, 96] if fixed else ["height", "width"]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["picture", "w", "b"], ["logits"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])],
        "small",
        [helper.make_tensor_value_info("picture", kind, [1 if fixed else "batch", 3, *size])],
        [helper.make_tensor_value_info("logits", kind, None)],
        [
            helper.make_tensor("w", kind, weights.shape, weights.ravel().tolist()),
            helper.make_tensor("b", kind, (CLASSES,), rng.normal(size=CLASSES).astype(np.float32).tolist()),
        ],
    )
    graph.output[0].CopyFrom(helper.make_tensor_value_info("logits", kind, [None, None, None, None]))
    path = folder / ("fixed.onnx" if fixed else "free.onnx")
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return f"onnx:{path}", path


PYTHON_SOURCE = '''
import numpy as np

rng = np.random.default_rng(4)
WEIGHTS = rng.normal(size=(3, 3)).astype(np.float32)


def forward(images):
    """A linear map of each pixel's colour."""
    return np.einsum("kc,bchw->bkhw", WEIGHTS, images)


def make():
    return forward
'''


def write_python(folder: Path) -> tuple[str, Path]:
    """A callable in a module of its own; the folder must be the working directory."""
    path = folder / "linear_of_colour.py"
    path.write_text(PYTHON_SOURCE)
    return "python:linear_of_colour:forward", path


def _torch():
    torch = pytest.importorskip("torch", reason="the extra 'torch' is not installed")
    return torch, pytest.importorskip("safetensors.torch", reason="the extra 'torch' is not installed").save_file


def _settle(network) -> None:
    """Batch statistics of a first batch, so that an untrained network does not give the same class everywhere."""
    import torch

    network.train()
    with torch.no_grad():
        network(torch.randn(4, 3, 64, 64))
    network.eval()
