"""What is particular to each kind of model."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from tests.contracts.predictor_contract import pictures
from tests.models import networks

from figureground.core.errors import InputError, MissingExtra
from figureground.models.predictor import open_predictor


def test_smp_gives_what_the_library_gives(tmp_path):
    spec, weights = networks.write_smp(tmp_path)
    import segmentation_models_pytorch as smp
    import torch
    from safetensors.torch import load_file

    network = smp.Unet("mobilenet_v2", encoder_weights=None, classes=networks.CLASSES, decoder_channels=(16, 16, 8, 8, 8))
    network.load_state_dict(load_file(weights))
    model = open_predictor(spec)
    images = pictures(model.spec, batch=2)
    with torch.inference_mode():
        expected = network.eval()(torch.from_numpy(images)).numpy()
    np.testing.assert_array_equal(model.forward(images), expected)
    assert model.spec.stride_px == 32
    assert model.spec.mean == (0.485, 0.456, 0.406)
    assert dict(model.spec.extra) == {"decoder_channels": "16,16,8,8,8"}


def test_smp_reads_the_number_of_classes_off_the_weights(tmp_path):
    spec, _ = networks.write_smp(tmp_path)
    assert open_predictor(spec.replace("&classes=3", "")).spec.classes == networks.CLASSES
    with pytest.raises(InputError, match=r"segmentation_head.0.weight \[3, .*for \[4, "):
        open_predictor(spec.replace("classes=3", "classes=4"))


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("unett/mobilenet_v2", "unetplusplus"),
        ("unet", "smp:ARCHITECTURE/ENCODER"),
        ("unet/resnet999", "resnet999"),
        ("unet/mobilenet_v2?activation=softmax", "unknown setting `activation`"),
    ],
)
def test_smp_refuses_what_it_cannot_build(tmp_path, where, said):
    _, weights = networks.write_smp(tmp_path)
    with pytest.raises(InputError, match=said) as caught:
        open_predictor(f"smp:{where}{'&' if '?' in where else '?'}weights={weights}")
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("spec", ["smp:unet/mobilenet_v2", "torchvision:lraspp_mobilenet_v3_large?classes=3"])
def test_a_network_without_weights_is_refused(spec):
    pytest.importorskip("segmentation_models_pytorch", reason="the extra 'smp' is not installed")
    with pytest.raises(InputError, match=r"add \?weights=FILE"):
        open_predictor(spec)


@pytest.mark.slow
def test_torchvision_takes_weights_with_an_auxiliary_head_and_gives_the_main_one(tmp_path):
    torch = pytest.importorskip("torch", reason="the extra 'torch' is not installed")
    from torchvision import models as zoo

    torch.manual_seed(0)
    network = zoo.get_model("fcn_resnet50", weights=None, weights_backbone=None, num_classes=2, aux_loss=True).eval()
    torch.save({"model": network.state_dict()}, tmp_path / "fcn.pth")
    model = open_predictor(f"torchvision:fcn_resnet50?weights={tmp_path / 'fcn.pth'}")
    images = pictures(model.spec, batch=1)
    with torch.inference_mode():
        expected = network(torch.from_numpy(images))["out"].numpy()
    np.testing.assert_array_equal(model.forward(images), expected)
    assert model.spec.classes == 2
    assert "taken from the entry 'model' of the checkpoint" in model.spec.notes


def test_torchvision_lists_its_networks():
    pytest.importorskip("torchvision", reason="the extra 'torch' is not installed")
    with pytest.raises(InputError, match="deeplabv3_resnet50"):
        open_predictor("torchvision:resnet50?weights=x")


def test_hf_takes_size_and_normalisation_from_its_preprocessor(tmp_path):
    spec = open_predictor(networks.write_hf(tmp_path)[0]).spec
    assert spec.size_hw == (64, 96)
    assert spec.mean == (0.485, 0.456, 0.406)
    assert spec.scale == pytest.approx(1.0)
    assert spec.class_names == ("ground", "cat", "dog")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"size": {"shortest_edge": 48}}, {"size_hw": None, "short_side_px": 48}),
        ({"size": 48}, {"size_hw": (48, 48)}),
        ({"do_resize": False}, {"size_hw": None, "short_side_px": None}),
        ({"do_rescale": False, "do_normalize": False}, {"scale": 255.0, "mean": (0.0, 0.0, 0.0)}),
        ({"do_flip_channel_order": True}, {"order": "bgr"}),
        ({"resample": 3}, {"resize": "bicubic"}),
    ],
)
def test_hf_understands_other_preprocessors(tmp_path, change, expected):
    spec, _ = networks.write_hf(tmp_path)
    path = tmp_path / "segformer" / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    found = open_predictor(spec).spec
    assert {key: getattr(found, key) for key in expected} == expected


def test_hf_says_when_a_crop_is_not_applied(tmp_path):
    spec, _ = networks.write_hf(tmp_path)
    path = tmp_path / "segformer" / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "do_center_crop": True, "crop_size": 32}))
    assert any("centre crop" in note for note in open_predictor(spec).spec.notes)


def test_hf_without_a_preprocessor_asks_for_the_normalisation(tmp_path):
    spec, _ = networks.write_hf(tmp_path)
    (tmp_path / "segformer" / "preprocessor_config.json").unlink()
    with pytest.raises(InputError, match="norm=imagenet"):
        open_predictor(spec)
    assert open_predictor(f"{spec}?norm=half&size=64").spec.mean == (0.5, 0.5, 0.5)


def test_hf_reads_old_torch_weights_and_refuses_those_that_want_code(tmp_path):
    spec, tensors = networks.write_hf(tmp_path)
    import torch
    from safetensors.torch import load_file

    state = load_file(tensors)
    model = open_predictor(spec)
    images = pictures(model.spec, batch=1)
    expected = model.forward(images)
    tensors.unlink()
    old = tensors.with_name("pytorch_model.bin")
    torch.save(state, old)
    np.testing.assert_allclose(open_predictor(spec).forward(images), expected, atol=1e-6)
    torch.save(torch.nn.Linear(2, 2), old)
    with pytest.raises(InputError, match=r"would run code: it asks for torch\.nn"):
        open_predictor(spec)


def test_hf_refuses_weights_with_holes_instead_of_filling_them_at_random(tmp_path):
    spec, tensors = networks.write_hf(tmp_path)
    from safetensors.torch import load_file, save_file

    state = load_file(tensors)
    del state["decode_head.classifier.weight"]
    save_file(state, tensors, metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"1 missing.*decode_head.classifier.weight"):
        open_predictor(spec)


def test_hf_refuses_models_that_answer_by_query(tmp_path):
    pytest.importorskip("transformers", reason="the extra 'hf' is not installed")
    (tmp_path / "config.json").write_text('{"model_type": "mask2former", "architectures": ["Mask2FormerForUniversalSegmentation"]}')
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(InputError, match=r"mask2former.*by query"):
        open_predictor(f"hf:{tmp_path}?norm=imagenet")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no config.json"),
        ({"config.json": "{"}, "no valid JSON"),
        ({"config.json": "[]"}, "JSON object"),
        ({"config.json": "{}"}, r"neither \*.safetensors"),
        ({"config.json": '{"model_type": "bert"}', "model.safetensors": "x"}, "transformers cannot open it"),
    ],
)
def test_hf_refuses_directories_that_hold_no_such_model(tmp_path, files, said):
    pytest.importorskip("transformers", reason="the extra 'hf' is not installed")
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=said):
        open_predictor(f"hf:{tmp_path}?norm=imagenet")


def test_onnx_reads_its_sizes_off_the_model(tmp_path):
    free, fixed = (open_predictor(networks.write_onnx(tmp_path, fixed=flag)[0]) for flag in (False, True))
    assert free.spec.size_hw is None
    assert fixed.spec.size_hw == (64, 96)
    images = pictures(fixed.spec, batch=3)
    np.testing.assert_allclose(free.forward(images), fixed.forward(images), atol=1e-5)
    with pytest.raises(InputError, match="64x96 pixels only"):
        open_predictor(f"onnx:{tmp_path / 'fixed.onnx'}?size=64x64")


def test_onnx_equals_the_convolution_done_by_hand(tmp_path):
    spec, path = networks.write_onnx(tmp_path)
    import onnx

    weights, bias = (onnx.numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer)
    model = open_predictor(spec)
    images = pictures(model.spec, batch=1)
    around = np.pad(images[0], ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(around, (3, 3), axis=(1, 2))[:, ::2, ::2]
    np.testing.assert_allclose(model.forward(images)[0], np.einsum("cyxij,kcij->kyx", windows, weights) + bias[:, None, None], atol=1e-4)


def onnx_model(tmp_path, nodes, inputs, outputs, constants=()):
    onnx = pytest.importorskip("onnx", reason="the package 'onnx' is not installed")
    pytest.importorskip("onnxruntime", reason="the extra 'onnx' is not installed")
    h = onnx.helper
    graph = h.make_graph(
        [h.make_node(op, ins, outs, **attributes) for op, ins, outs, attributes in nodes],
        "g",
        [h.make_tensor_value_info(name, getattr(onnx.TensorProto, kind), shape) for name, kind, shape in inputs],
        [h.make_tensor_value_info(name, getattr(onnx.TensorProto, kind), shape) for name, kind, shape in outputs],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants],
    )
    path = tmp_path / "made.onnx"
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=9), path)
    return f"onnx:{path}"


def test_onnx_takes_bytes_with_channels_last(tmp_path):
    spec = onnx_model(
        tmp_path,
        [("Cast", ["x"], ["logits"], {"to": 1})],
        [("x", "UINT8", [1, 8, 8, 3])],
        [("logits", "FLOAT", [1, 8, 8, 3])],
    )
    model = open_predictor(spec)
    assert model.spec.scale == 255.0
    assert model.spec.size_hw == (8, 8)
    images = np.arange(192, dtype=np.float32).reshape(1, 3, 8, 8)
    np.testing.assert_array_equal(model.forward(images), images)


def test_onnx_refuses_label_maps_and_lists_the_outputs(tmp_path):
    spec = onnx_model(
        tmp_path,
        [("ArgMax", ["x"], ["labels"], {"axis": 1, "keepdims": 0})],
        [("x", "FLOAT", [1, 3, "h", "w"])],
        [("labels", "INT64", [1, "h", "w"])],
    )
    with pytest.raises(InputError, match=r"labels tensor\(int64\).*without the argmax"):
        open_predictor(spec)


def test_onnx_chooses_an_output_by_name(tmp_path):
    spec = onnx_model(
        tmp_path,
        [("Identity", ["x"], ["first"], {}), ("Neg", ["x"], ["second"], {})],
        [("x", "FLOAT", ["n", 3, "h", "w"])],
        [("first", "FLOAT", ["n", 3, "h", "w"]), ("second", "FLOAT", ["n", 3, "h", "w"])],
    )
    images = np.ones((2, 3, 4, 4), np.float32)
    assert open_predictor(spec).forward(images).max() == 1
    assert open_predictor(f"{spec}?output=second").forward(images).max() == -1
    with pytest.raises(InputError, match="first"):
        open_predictor(f"{spec}?output=third")


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ([("x", "FLOAT", [1, 3, "h", "w"]), ("y", "FLOAT", [1])], "one picture input"),
        ([("x", "FLOAT", [1, 4, "h", "w"])], "3 channels"),
        ([("x", "INT64", [1, 3, "h", "w"])], "one picture input"),
    ],
)
def test_onnx_refuses_inputs_that_are_no_picture(tmp_path, inputs, said):
    nodes = [("Cast", ["x"], ["logits"], {"to": 1})] + ([("Identity", ["y"], ["z"], {})] if len(inputs) == 2 else [])
    outputs = [("logits", "FLOAT", inputs[0][2])] + ([("z", "FLOAT", [1])] if len(inputs) == 2 else [])
    spec = onnx_model(tmp_path, nodes, inputs, outputs)
    with pytest.raises(InputError, match=said):
        open_predictor(spec)


def test_onnx_runs_on_the_processor_only(tmp_path):
    spec, _ = networks.write_onnx(tmp_path)
    with pytest.raises(InputError, match="cpu or auto"):
        open_predictor(spec, device="cuda")
    assert open_predictor(spec, device="auto").spec.classes == networks.CLASSES
    with pytest.raises(InputError, match="no such file"):
        open_predictor("onnx:absent.onnx")


def test_python_factory_and_tensors(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "made_by_factory.py").write_text(
        "import numpy as np\nclass Network:\n    def __call__(self, images):\n        return images[:, :2] * 2\n"
    )
    model = open_predictor("python:made_by_factory:Network?factory=1")
    assert model.spec.classes == 2
    np.testing.assert_array_equal(model.forward(np.ones((1, 3, 4, 4), np.float32)), np.full((1, 2, 4, 4), 2, np.float32))
    pytest.importorskip("torch", reason="the extra 'torch' is not installed")
    (tmp_path / "gives_tensors.py").write_text(
        "import torch\nW = torch.ones(1, requires_grad=True)\ndef forward(images):\n    return torch.from_numpy(images).double() * W\n"
    )
    logits = open_predictor("python:gives_tensors:forward").forward(np.ones((1, 3, 4, 4), np.float32))
    np.testing.assert_array_equal(logits, np.ones((1, 3, 4, 4), np.float32))


@pytest.mark.parametrize(
    ("where", "source", "said"),
    [
        ("absent_module:forward", "", "absent_module"),
        ("refused_a:absent", "x = 1", "absent"),
        ("refused_b:x", "x = 1", "cannot be called"),
        ("refused_c", "x = 1", "MODULE:CALLABLE"),
        ("refused_d:f", "def f(images):\n    return images.argmax(1)", r"floating logits .*int64 \[1, 64, 64\]"),
        ("refused_e:f?factory=1", "def f():\n    return 3", "must return a callable"),
        ("refused_f:f", "def f(images):\n    return images[:0]", "floating logits"),
    ],
)
def test_python_refuses_what_is_no_network(tmp_path, monkeypatch, where, source, said):
    monkeypatch.chdir(tmp_path)
    if source:
        (tmp_path / f"{where.partition(':')[0]}.py").write_text(source)
    with pytest.raises(InputError, match=said):
        open_predictor(f"python:{where}")


def test_a_device_that_is_not_there_is_refused(tmp_path):
    spec, _ = networks.write_smp(tmp_path)
    with pytest.raises(InputError, match="`device` 'cuda:99'"):
        open_predictor(spec, device="cuda:99")
    with pytest.raises(InputError, match="`device` 'toaster'"):
        open_predictor(spec, device="toaster")
    assert open_predictor(spec, device="auto").spec.classes == networks.CLASSES


@pytest.mark.parametrize(
    ("package", "spec", "extra"),
    [
        ("torch", "smp:unet/resnet34?weights=x", "torch"),
        ("segmentation_models_pytorch", "smp:unet/resnet34?weights=x", "smp"),
        ("torchvision", "torchvision:fcn_resnet50?weights=x", "torch"),
        ("transformers", "hf:x", "hf"),
        ("onnxruntime", "onnx:x.onnx", "onnx"),
    ],
)
@pytest.mark.slow
def test_an_absent_library_names_its_extra(package, spec, extra):
    if package != "torch" and spec.startswith(("smp", "torchvision", "hf")):
        pytest.importorskip("torch", reason="the extra 'torch' is not installed")
    code = (
        f"import sys\nsys.modules[{package!r}] = None\nfrom figureground.core.errors import MissingExtra\n"
        f"from figureground.models.predictor import open_predictor\ntry:\n    open_predictor({spec!r})\n"
        "except MissingExtra as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert f"figureground[{extra}]" in done.stdout, done.stderr
    assert issubclass(MissingExtra, ImportError)


def test_a_plugin_is_found_by_its_entry_point(tmp_path, monkeypatch):
    """A distribution that declares a `figureground.predictors` entry point adds a kind; nothing else is needed."""
    info = tmp_path / "outside-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[figureground.predictors]\noutside = outside_network:open_outside\n")
    (tmp_path / "outside_network.py").write_text(
        "from figureground.models.python import CallablePredictor\n"
        "from figureground.models.predictor import PredictorSpec\n"
        "def open_outside(where, settings, *, device):\n"
        "    return CallablePredictor(lambda images: images, spec=PredictorSpec(kind='outside', where=where, classes=3))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert open_predictor("outside:anything").spec.kind == "outside"


def test_the_port_itself_needs_no_library(tmp_path):
    """Importing the port and the input path loads no torch."""
    code = "import sys, figureground.models.predictor, figureground.models.inputs\nprint([m for m in ('onnxruntime', 'torch', 'transformers') if sys.modules.get(m)])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"
