"""Weights files: what is read, what is refused, and what the message says."""

from __future__ import annotations

import pickle

import pytest

torch = pytest.importorskip("torch", reason="the extra 'torch' is not installed")

from safetensors.torch import save_file  # noqa: E402

from figureground.core.errors import InputError  # noqa: E402
from figureground.models.digest import file_digest  # noqa: E402
from figureground.models.weights import fit_state, load_weights, read_state_dict, unwrap_state  # noqa: E402


def small() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4), torch.nn.Conv2d(4, 2, 1))


class Trap:
    """Unpickling this would make a file: what a malicious checkpoint does."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_pickle_that_wants_code_is_refused_by_name_and_runs_nothing(tmp_path):
    marker, path = tmp_path / "executed", tmp_path / "trap.pt"
    torch.save({"state_dict": small().state_dict(), "hook": Trap(marker)}, path)
    with pytest.raises(InputError, match=r"refused.*open.*safetensors"):
        read_state_dict(path)
    assert not marker.exists()


def test_a_plain_pickle_that_wants_code_is_refused_too(tmp_path):
    marker, path = tmp_path / "executed", tmp_path / "trap.pth"
    path.write_bytes(pickle.dumps(Trap(marker), protocol=2))
    with pytest.raises(InputError):
        read_state_dict(path)
    assert not marker.exists()


def test_a_whole_network_saved_as_a_pickle_is_refused_with_the_remedy(tmp_path):
    path = tmp_path / "network.pt"
    torch.save(small(), path)
    with pytest.raises(InputError, match=r"it asks for .*Sequential.*state_dict\(\)"):
        read_state_dict(path)


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": s, "epoch": 3}, lambda s: {"model": {"state_dict": s}}])
@pytest.mark.parametrize("prefix", ["", "module.", "module.model."])
def test_wrappers_and_prefixes_come_off_and_are_noted(tmp_path, wrap, prefix):
    path, source = tmp_path / "w.pt", small()
    torch.save(wrap({prefix + k: v + 1 if v.dtype.is_floating_point else v for k, v in source.state_dict().items()}), path)
    state, notes = read_state_dict(path)
    target = small()
    notes += load_weights(target, state, where="smp:x")
    for name, tensor in target.state_dict().items():
        if tensor.dtype.is_floating_point:
            torch.testing.assert_close(tensor, source.state_dict()[name] + 1)
    assert ("prefix 'module.' taken off every name" in notes) == (prefix != "")
    assert any("'state_dict'" in note for note in notes) == ("state_dict" in str(wrap({}).keys()) or "model" in wrap({}))


def test_a_prefix_that_the_network_bears_itself_stays():
    state = {"model.a": torch.zeros(1), "model.b": torch.zeros(1)}
    assert fit_state(state, {"model.a": torch.zeros(1)}) == (state, ())


def test_safetensors_and_torch_files_give_the_same_state(tmp_path):
    state = small().state_dict()
    save_file(state, tmp_path / "w.safetensors")
    save_file(state, tmp_path / "renamed.bin")
    torch.save(state, tmp_path / "w.pt")
    for name in ("w.safetensors", "renamed.bin", "w.pt"):
        read, _ = read_state_dict(tmp_path / name)
        assert read.keys() == state.keys()
        assert all(torch.equal(read[k], state[k]) for k in state)


def test_every_kind_of_mismatch_stands_in_one_message():
    state = small().state_dict()
    state["2.weight"] = torch.zeros(5, 4, 1, 1)
    state["extra.weight"] = state.pop("0.weight")
    with pytest.raises(InputError) as caught:
        load_weights(small(), state, where="smp:unet/x")
    said = str(caught.value)
    assert "1 missing: 0.weight" in said
    assert "1 unexpected: extra.weight" in said
    assert "2.weight [5, 4, 1, 1] for [2, 4, 1, 1]" in said
    assert said.startswith("smp:unet/x")


def test_only_the_first_names_of_many_are_listed():
    with pytest.raises(InputError, match=r"13 missing: .*, \.\.\.") as caught:
        load_weights(torch.nn.Sequential(*(torch.nn.Linear(2, 2) for _ in range(7))), {"0.weight": torch.zeros(2, 2)}, where="smp:x")
    assert len(str(caught.value)) < 400


def test_counters_of_batches_may_be_absent():
    state = {k: v for k, v in small().state_dict().items() if not k.endswith("num_batches_tracked")}
    assert load_weights(small(), state, where="smp:x") == ()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("absent.pt", None, "no such weights file"),
        ("w.pt", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        ("w.safetensors", b"\x10\x00\x00\x00\x00\x00\x00\x00{", "safetensors"),
        ("w.safetensors", b"", "safetensors"),
        ("w.pt", b"", "torch weights"),
        ("w.pt", b"PK\x03\x04 this is no zip", "torch weights"),
        ("w.pt", b"no weights at all, only words", "torch weights"),
        ("samples.csv", b"id,image,mask\nduck_1,images/duck_1.jpg,masks/duck_1.png\n", "no weights"),
        ("classes.txt", b"cat, grey\ndog, brown\n", "no weights"),
    ],
)
def test_files_that_are_no_weights_are_refused_in_one_line(tmp_path, name, content, said):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        read_state_dict(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_without_tensors_is_refused():
    with pytest.raises(InputError, match="no tensors"):
        unwrap_state({"epoch": 3, "state_dict": {"note": "empty"}}, where="w.pt")
    with pytest.raises(InputError, match="no tensors"):
        unwrap_state([torch.zeros(1)], where="w.pt")


def test_the_digest_is_that_of_the_content(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert file_digest([tmp_path / "a"]) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def legacy(content, path):
    torch.save(content, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_a_plain_pickle_is_refused_by_the_name_of_the_code_it_wants(tmp_path, protocol, recwarn):
    marker, path = tmp_path / "executed", tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps({"weight": [1.0], "hook": Trap(marker)}, protocol=protocol))
    with pytest.raises(InputError, match=r"refused, because reading it would run code: it asks for (_?io|builtins|__builtin__)\.open\."):
        read_state_dict(path)
    assert not marker.exists()
    assert not recwarn.list


def test_a_torch_file_of_the_old_form_is_refused_by_name_and_read_where_it_holds_tensors(tmp_path, recwarn):
    marker, path = tmp_path / "executed", tmp_path / "old.pt"
    legacy({"state_dict": small().state_dict(), "hook": Trap(marker)}, path)
    with pytest.raises(InputError, match=r"it asks for \S+\.open\. Where you trust it"):
        read_state_dict(path)
    assert not marker.exists()
    legacy(small(), path)
    with pytest.raises(InputError, match=r"it asks for .*Sequential"):
        read_state_dict(path)
    legacy(small().state_dict(), path)
    state, _ = read_state_dict(path)
    assert state.keys() == small().state_dict().keys()
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match="damaged"):
        read_state_dict(path)
    assert not recwarn.list
