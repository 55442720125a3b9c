"""A roto painted on some frames, carried to the others by a SAM 2 with random weights: its masks mean nothing, the way
to them is the real one."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional
from transformers import Sam2VideoInferenceSession, Sam2VideoModel
from transformers.models.sam2_video.processing_sam2_video import Sam2VideoProcessor

from void_server.masks.propagate import OutOfMemory, refuse_unpainted, unpainted
from void_server.masks.quadmask import BadMask
from void_server.masks.sam2 import Sam2
from void_server.masks.sam2_tracking import Frames
from void_server.training.tiny_sam2 import SIZE, write_random_sam2

HEIGHT, WIDTH = 48, 80
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sam2") / "tiny"
    write_random_sam2(path)
    return path


@pytest.fixture(scope="module")
def model(folder: Path) -> Sam2VideoModel:
    return Sam2VideoModel.from_pretrained(folder)


@pytest.fixture
def sam2(model: Sam2VideoModel) -> Sam2:
    return Sam2(model)


@pytest.fixture
def visits(model: Sam2VideoModel) -> Iterator[list[tuple[int, bool]]]:
    """Frame and direction of each frame that the model is run on, one an object."""
    seen: list[tuple[int, bool]] = []

    def note(_module, _positional, named):
        seen.append((named["frame_idx"], named["reverse"]))

    handle = model.register_forward_pre_hook(note, with_kwargs=True)
    yield seen
    handle.remove()


def a_clip(count: int = 12) -> np.ndarray:
    """A square that moves over noise."""
    clip = np.random.default_rng(7).random((count, HEIGHT, WIDTH, 3)).astype(np.float32) / 4
    for index, picture in enumerate(clip):
        picture[10:30, 4 + 5 * (index % 12) :][:, :15] = (0.9, 0.4, 0.1)
    return clip


def matte(top: int, left: int, size: int = 16) -> np.ndarray:
    painted = np.zeros((HEIGHT, WIDTH), bool)
    painted[top : top + size, left : left + size] = True
    return painted


EMPTY = np.zeros((HEIGHT, WIDTH), bool)


def as_documented(model: Sam2VideoModel, clip: np.ndarray, painted: dict[int, np.ndarray], *, reverse: bool):
    """{frame: mask} of one direction, driven as in transformers' manual: all frames given, each prompted frame run,
    then propagated to the end."""
    pictures = torch.from_numpy(clip).permute(0, 3, 1, 2)
    squeezed = functional.interpolate(pictures, (SIZE, SIZE), mode="bilinear", antialias=True)
    video = (squeezed - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(DEVIATION).view(3, 1, 1)
    session = Sam2VideoInferenceSession(video=video, video_height=HEIGHT, video_width=WIDTH, dtype=torch.float32)
    for frame, mask in sorted(painted.items()):
        Sam2VideoProcessor.process_new_mask_for_video_frame(
            SimpleNamespace(target_size=SIZE), session, frame, [1], mask
        )
        model(session, frame_idx=frame)
    start = max(painted) if reverse else min(painted)
    answers = {}
    for output in model.propagate_in_video_iterator(session, start_frame_idx=start, reverse=reverse):
        logits = functional.interpolate(output.pred_masks, (HEIGHT, WIDTH), mode="bilinear", align_corners=False)
        answers[output.frame_idx] = (logits[0, 0] > 0).numpy()
    return answers


def test_masks_are_those_of_transformers_own_session(sam2, model):
    """Painted on 3 and 9 of 12: before 3 backwards alone, after 9 forwards alone, between them what is nearer, and 6,
    which is as near to both, forwards."""
    clip, painted = a_clip(), {3: matte(10, 19), 9: matte(10, 50)}
    forward = as_documented(model, clip, painted, reverse=False)
    backward = as_documented(model, clip, painted, reverse=True)
    result = sam2.carry(clip, [painted])
    for frame in (4, 5, 6, 10, 11):
        assert np.array_equal(result[frame], forward[frame]), frame
    for frame in (0, 1, 2, 7, 8):
        assert np.array_equal(result[frame], backward[frame]), frame
    # The two directions differ, so that the above says something; so do frames.
    assert not np.array_equal(forward[7], backward[7])
    assert len({mask.tobytes() for mask in result}) == 12


def test_many_frames_come_out_as_if_all_were_remembered(sam2, model):
    """More than the 15 frames back that the model can look."""
    clip, painted = a_clip(24), {1: matte(10, 9)}
    forward = as_documented(model, clip, painted, reverse=False)
    result = sam2.carry(clip, [painted])
    assert all(np.array_equal(result[frame], forward[frame]) for frame in range(2, 24))


def test_the_model_sees_frames_squeezed_and_normalised():
    clip = a_clip(2)
    frames = Frames(clip, SIZE, torch.device("cpu"), torch.float32)
    assert list(frames) == [0, 1]
    for channel in range(3):
        image = Image.fromarray(clip[1, ..., channel]).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        expected = (np.asarray(image) - MEAN[channel]) / DEVIATION[channel]
        np.testing.assert_allclose(frames[1][channel], expected, atol=1e-5)


def test_a_painted_frame_keeps_its_matte(sam2):
    """Noise, too: nothing that a model would return."""
    noise = np.random.default_rng(3).random((HEIGHT, WIDTH)) < 0.5
    painted = {2: noise, 5: matte(0, 0, 1), 7: EMPTY}
    result = sam2.carry(a_clip(), [painted])
    for frame, mask in painted.items():
        assert np.array_equal(result[frame], mask)
    assert all(result[frame].any() for frame in range(12) if frame != 7)


def test_order_of_frames_and_objects_does_not_matter(sam2):
    clip, first, second = a_clip(), {1: matte(10, 9), 8: matte(10, 44)}, {6: matte(30, 60)}
    turned = dict(reversed(first.items()))
    assert list(turned) != list(first)
    assert np.array_equal(sam2.carry(clip, [first, second]), sam2.carry(clip, [second, turned]))


def test_objects_are_carried_each_for_itself_and_united(sam2):
    """Though painted on different frames: on 6 one is painted and the other is carried."""
    clip, first, second = a_clip(), {1: matte(10, 9), 8: matte(10, 44)}, {6: matte(30, 60), 8: matte(30, 62)}
    both = sam2.carry(clip, [first, second])
    alone = sam2.carry(clip, [first]), sam2.carry(clip, [second])
    assert np.array_equal(both, alone[0] | alone[1])
    assert np.array_equal(both[8], first[8] | second[8])
    assert not np.array_equal(both, alone[0])
    assert not np.array_equal(both, alone[1])


def test_a_frame_is_encoded_once_for_all_objects(sam2, model):
    encoded = []
    handle = model.vision_encoder.register_forward_hook(lambda *_: encoded.append(1))
    sam2.carry(a_clip(6), [{0: matte(10, 4)}, {0: matte(30, 4)}, {3: matte(2, 60)}])
    handle.remove()
    # Frames 0 and 3 as painted; 1 to 5 forwards; 2, 1 and 0 backwards.
    assert len(encoded) == 2 + 5 + 3


def test_an_object_that_enters_late_is_masked_early_too(sam2, visits):
    result = sam2.carry(a_clip(), [{10: matte(10, 54)}])
    assert visits == [(10, False), (11, False), *((frame, True) for frame in range(9, -1, -1))]
    assert all(mask.any() and not mask.all() for mask in result)


def test_between_two_mattes_the_model_goes_half_way_from_each(sam2, visits):
    sam2.carry(a_clip(), [{0: matte(10, 4), 11: matte(10, 59)}])
    shown, forward, backward = visits[:2], visits[2:7], visits[7:]
    assert shown == [(0, False), (11, False)]
    assert forward == [(frame, False) for frame in range(1, 6)]
    assert backward == [(frame, True) for frame in range(10, 5, -1)]


def test_time_has_no_direction(sam2):
    """The clip backwards gives the masks backwards: what goes before the painted frame and what goes after it are
    treated alike."""
    clip = a_clip(13)
    result = sam2.carry(clip, [{6: matte(10, 34)}])
    mirrored = sam2.carry(np.ascontiguousarray(clip[::-1]), [{6: matte(10, 34)}])
    assert np.array_equal(result, mirrored[::-1])
    assert not np.array_equal(result, result[::-1])


def test_an_empty_matte_says_that_the_object_is_not_there(sam2, visits):
    clip, there = a_clip(), {2: matte(10, 14)}
    without = sam2.carry(clip, [there])
    visits.clear()
    result = sam2.carry(clip, [{**there, 6: EMPTY}])
    assert not result[6].any()
    # The model was told, and took it in; and nothing is carried from where the object isn't.
    assert visits[:2] == [(2, False), (6, False)]
    assert not np.array_equal(result[[3, 7]], without[[3, 7]])
    assert [frame for frame, reverse in visits if reverse] == [1, 0]


@pytest.mark.parametrize("painted", [{4: EMPTY}, dict.fromkeys(range(12), matte(3, 3))])
def test_the_model_is_not_asked_where_there_is_nothing_to_carry(sam2, visits, painted):
    result = sam2.carry(a_clip(), [painted])
    assert visits == []
    assert all(np.array_equal(mask, painted.get(frame, EMPTY)) for frame, mask in enumerate(result))


def test_the_same_shot_gives_the_same_masks_whatever_came_before(folder):
    clip, painted = a_clip(), [{4: matte(10, 24)}]
    sam2 = Sam2.load(folder)
    first = sam2.carry(clip, painted)
    sam2.carry(1 - clip, [{0: matte(0, 0, 40)}])
    assert np.array_equal(sam2.carry(clip, painted), first)
    assert np.array_equal(Sam2.load(folder).carry(clip, painted), first)


def test_bfloat16_comes_near_float32(folder):
    clip, painted = a_clip(), [{4: matte(10, 24)}]
    near = Sam2.load(folder, dtype=torch.bfloat16).carry(clip, painted)
    assert np.mean(near == Sam2.load(folder).carry(clip, painted)) > 0.95


def sessions() -> list[object]:
    gc.collect()
    return [thing for thing in gc.get_objects() if type(thing) is Sam2VideoInferenceSession]


def test_a_session_holds_no_more_for_a_longer_shot_and_ends_with_it(sam2, model):
    """A memory and a pointer for each of the frames that can be looked back at; masks are the larger part of what the
    model returns, and none but the frame's own is there."""

    def most(count: int) -> tuple[int, int]:
        """The most bytes and the most masks that the model's session held."""
        held = []

        def measure(_module, positional, _output):
            session = positional[0]
            kept = [frame for kind in session.output_dict_per_obj[0].values() for frame in kind.values()]
            size = sum(tensor.nbytes for frame in kept for tensor in frame.values())
            held.append((size, sum("high_res_masks" in frame or "pred_masks" in frame for frame in kept)))

        handle = model.register_forward_hook(measure)
        sam2.carry(a_clip(count), [{0: matte(10, 4)}])
        handle.remove()
        return max(size for size, _ in held), max(masks for _, masks in held)

    assert most(18) == most(24) > most(12)
    assert most(12)[1] == 1
    assert sessions() == []


def test_progress_counts_every_frame_that_the_model_sees(sam2, visits):
    said = []
    sam2.carry(a_clip(), [{3: matte(10, 19), 9: matte(10, 49)}], lambda *numbers: said.append(numbers))
    assert said == [(done, len(visits)) for done in range(1, len(visits) + 1)]
    visits.clear(), said.clear()
    sam2.carry(a_clip(), [{3: matte(10, 19)}, {3: matte(30, 40)}], lambda *numbers: said.append(numbers))
    assert said == [(done, len(visits) // 2) for done in range(1, len(visits) // 2 + 1)]


@pytest.mark.parametrize("last", [1, 6])
def test_a_cancelled_shot_leaves_nothing_behind(sam2, last):
    class Cancelled(Exception):
        pass

    def cancel(done: int, total: int) -> None:
        if done == last:
            raise Cancelled

    clip, painted = a_clip(), [{3: matte(10, 19), 9: matte(10, 49)}]
    expected = sam2.carry(clip, painted)
    with pytest.raises(Cancelled) as caught:
        sam2.carry(clip, painted, cancel)
    # Held by the traceback, but empty.
    for session in sessions():
        assert not session.output_dict_per_obj
        assert not session.cache._vision_features
    del caught
    assert np.array_equal(sam2.carry(clip, painted), expected)


def test_too_little_memory_is_said_in_words(sam2):
    def full(done: int, total: int) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(OutOfMemory, match="paint every frame"):
        sam2.carry(a_clip(), [{3: matte(10, 19)}], full)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no card")
def test_between_shots_the_card_is_empty(folder):
    sam2 = Sam2.load(folder, "cuda")
    before = torch.cuda.memory_allocated()
    painted = [{3: matte(10, 19), 9: matte(10, 49)}]
    result = sam2.carry(a_clip(), painted)
    assert np.mean(result == Sam2.load(folder).carry(a_clip(), painted)) > 0.99
    assert torch.cuda.memory_allocated() - before < 2**18  # transformers keeps a table of positions


@pytest.mark.parametrize(
    ("clip", "painted", "message"),
    [
        (a_clip(3), [{3: EMPTY}], "object 1 is painted on frame 3 of a clip of 3 frames"),
        (a_clip(3), [{-1: EMPTY}], "object 1 is painted on frame -1"),
        (a_clip(3), [{0: EMPTY}, {}], "object 2 of 2 has no painted frame"),
        (a_clip(3), [{0: EMPTY[1:]}], r"frame 0 is bool \[47, 80\]; it must be bool \[48, 80\]"),
        (a_clip(3), [{0: EMPTY.astype(np.uint8)}], "uint8"),
        (a_clip(3).astype(np.float64), [{0: EMPTY}], r"the clip is float64 \[3, 48, 80, 3\]"),
        (a_clip(3)[..., 0], [{0: EMPTY}], r"must be float32 \[T, H, W, 3\]"),
    ],
)
def test_what_does_not_fit_is_refused(sam2, clip, painted, message):
    with pytest.raises(ValueError, match=message):
        sam2.carry(clip, painted)


def test_unpainted_frames_are_those_that_an_object_lacks():
    assert unpainted(range(1001, 1006), [{1001: EMPTY, 1003: EMPTY}]) == [1002, 1004, 1005]
    assert unpainted(range(1001, 1004), [{1001, 1002}, {1002, 1003}]) == [1001, 1003]
    assert unpainted([1, 2], []) == [1, 2]
    assert unpainted([1, 2], [{1, 2}]) == []


@pytest.mark.parametrize(
    ("painted", "message"),
    [
        (range(1001, 1012), "frame 1012, and there are no SAM 2 weights"),
        (range(1001, 1008), "frames 1008, 1009, 1010, 1011, 1012, and"),
        ([1001], "frames 1002, 1003, 1004, 1005, 1006 and 6 more, and .*: paint every frame .*, or give the server"),
    ],
)
def test_without_weights_unpainted_frames_are_refused_by_name(painted, message):
    with pytest.raises(BadMask, match=r"the roto roto\.####\.exr is not painted on " + message):
        refuse_unpainted(range(1001, 1013), [painted], "roto.####.exr")
    refuse_unpainted(painted, [painted], "roto.####.exr")
