"""Finding and reading weights: what is refused, and that the message says what and why."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from void_server.model import BadWeights, VoidModel, WeightsFolder


@pytest.fixture
def weights(tiny_folder: Path, tmp_path: Path) -> WeightsFolder:
    """A copy to spoil."""
    return WeightsFolder.find(shutil.copytree(tiny_folder, tmp_path / "weights"))


def load(weights: WeightsFolder) -> VoidModel:
    return VoidModel.load(weights.base, weights.pass1, weights.pass2)


def change(path: Path, edit: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    edit(tensors)
    save_file(tensors, path)


def test_a_folder_is_found_with_its_card(weights: WeightsFolder) -> None:
    assert weights.base.name == "CogVideoX-Fun-V1.5-5b-InP"
    assert (weights.pass1.name, weights.pass2.name) == ("void_pass1.safetensors", "void_pass2.safetensors")
    assert weights.card is not None
    assert weights.card.name == "untrained tiny"


def test_a_card_is_optional_but_must_be_one(weights: WeightsFolder) -> None:
    card = weights.pass1.parent / "card.json"
    card.write_text('{"notice": "no name"}')
    with pytest.raises(BadWeights, match=r"card.json is not a card .*write \{"):
        WeightsFolder.find(card.parent)
    card.write_text('{"name": 3}')
    with pytest.raises(BadWeights, match="not text"):
        WeightsFolder.find(card.parent)
    card.unlink()
    assert WeightsFolder.find(card.parent).card is None


@pytest.mark.parametrize(
    "part",
    ["void_pass2.safetensors", "CogVideoX-Fun-V1.5-5b-InP/vae/config.json", "CogVideoX-Fun-V1.5-5b-InP/tokenizer"],
)
def test_what_is_missing_is_named(weights: WeightsFolder, part: str) -> None:
    gone = weights.pass1.parent / part
    gone.rename(gone.with_name("elsewhere"))
    with pytest.raises(BadWeights, match=f"missing: .*{part}; fetch"):
        WeightsFolder.find(weights.pass1.parent)


def test_folders_without_one_base_model_are_refused(weights: WeightsFolder, tmp_path: Path) -> None:
    folder = weights.pass1.parent
    with pytest.raises(BadWeights, match="there is no weights folder"):
        WeightsFolder.find(tmp_path / "nowhere")
    shutil.copytree(weights.base, folder / "second")
    with pytest.raises(BadWeights, match=r"2 base models \(CogVideoX-Fun-V1.5-5b-InP, second\)"):
        WeightsFolder.find(folder)
    for base in ("second", weights.base.name):
        (folder / base / "model_index.json").unlink()
    with pytest.raises(BadWeights, match=r"model_index.json; fetch the base model"):
        WeightsFolder.find(folder)


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (lambda tensors: tensors.pop("norm_final.bias"), "missing: norm_final.bias;"),
        (lambda tensors: tensors.update({"norm_final.wait": torch.zeros(3)}), "not of this model: norm_final.wait;"),
        (
            lambda tensors: tensors.update({"proj_out.bias": torch.zeros(5)}),
            "of the wrong shape: proj_out.bias [5] instead of [128];",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_named(
    weights: WeightsFolder, edit: Callable[[dict[str, torch.Tensor]], object], problem: str
) -> None:
    change(weights.pass2, edit)
    with pytest.raises(BadWeights) as refused:
        load(weights)
    assert str(refused.value) == (
        f"{weights.pass2} does not fit the model: {problem} fetch it again, or check that it belongs to this base model"
    )


def test_a_long_list_of_tensors_is_cut(weights: WeightsFolder) -> None:
    change(weights.pass2, lambda tensors: tensors.update({f"extra.{i:02}": torch.zeros(1) for i in range(10)}))
    with pytest.raises(BadWeights, match=r"not of this model: extra\.00, .*extra\.05 and 4 more;"):
        load(weights)


@pytest.mark.parametrize(
    ("part", "file", "tensor"),
    [
        ("vae", "diffusion_pytorch_model.safetensors", "decoder.conv_in.conv.weight"),
        ("text_encoder", "model.safetensors", "shared.weight"),
    ],
)
def test_the_base_model_s_parts_are_checked_too(weights: WeightsFolder, part: str, file: str, tensor: str) -> None:
    change(weights.base / part / file, lambda tensors: tensors.pop(tensor))
    with pytest.raises(BadWeights, match=rf"{part} does not fit the model: missing: .*{tensor}"):
        load(weights)


def test_a_truncated_file_is_refused(weights: WeightsFolder) -> None:
    whole = weights.pass1.read_bytes()
    weights.pass1.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadWeights, match=r"void_pass1.safetensors is not a whole safetensors file .*fetch it again"):
        load(weights)


@pytest.mark.parametrize("name", ["void_pass1.bin", "void_pass1.pt", "void_pass1.safetensors"])
def test_a_pickle_is_refused_and_never_opened(weights: WeightsFolder, name: str, tmp_path: Path) -> None:
    marker = tmp_path / "opened"

    class Trap:
        def __reduce__(self) -> tuple[Callable[..., None], tuple[Path]]:
            return Path.touch, (marker,)

    path = weights.pass1.with_name(name)
    torch.save({"weight": Trap()}, path)
    with pytest.raises(BadWeights, match="pickle"):
        VoidModel.load(weights.base, path, weights.pass2)
    assert not marker.exists()


def test_a_sharded_text_encoder_is_read_whole(weights: WeightsFolder) -> None:
    folder = weights.base / "text_encoder"
    tensors = load_file(folder / "model.safetensors")
    names = sorted(tensors)
    shards = {"model-00001-of-00002.safetensors": names[:5], "model-00002-of-00002.safetensors": names[5:]}
    for file, part in shards.items():
        save_file({name: tensors[name] for name in part}, folder / file)
    before = load(weights).prompts.embed("a wall")
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {name: file for file, part in shards.items() for name in part}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert torch.equal(load(weights).prompts.embed("a wall"), before)


def test_a_narrow_checkpoint_needs_no_base_weights(weights: WeightsFolder) -> None:
    def narrow(tensors: dict[str, torch.Tensor]) -> None:
        wide = tensors["patch_embed.proj.weight"]
        tensors["patch_embed.proj.weight"] = torch.cat([wide[:, :136], wide[:, -128:]], dim=1)

    change(weights.pass1, narrow)
    weight = load(weights).transformers[1].patch_embed.proj.weight
    wide = load_file(weights.pass2)["patch_embed.proj.weight"]
    assert weight.shape == wide.shape
    for copy in range(16):
        assert torch.equal(weight[:, 128 + 8 * copy : 136 + 8 * copy], weight[:, 128:136])


def test_a_base_model_whose_config_is_damaged_is_refused(weights: WeightsFolder) -> None:
    (weights.base / "transformer" / "config.json").write_text("{")
    with pytest.raises(BadWeights, match=r"config.json cannot be read .*fetch it again"):
        load(weights)


def test_a_base_model_without_a_readable_tokenizer_is_refused(weights: WeightsFolder) -> None:
    (weights.base / "tokenizer" / "spiece.model").write_bytes(b"not sentencepiece")
    with pytest.raises(BadWeights, match=r"tokenizer cannot be read .*fetch the base model again"):
        load(weights)
