"""Settings: the published defaults, and what is refused."""

import subprocess
import sys

import pytest

from void_server.model import PassSettings


def test_defaults_are_the_published_ones() -> None:
    one, two = PassSettings.pass1(), PassSettings.pass2()
    assert (one.steps, one.guidance_scale, two.steps, two.guidance_scale) == (30, 1.0, 50, 6.0)
    for settings in (one, two):
        assert (settings.height, settings.width, settings.window, settings.max_frames) == (384, 672, 85, 197)
        assert (settings.window_latents, settings.overlap_latents) == (22, 4)
        assert (settings.negative_prompt, settings.mask_levels) == ("", "netflix")


@pytest.mark.parametrize(("window", "latents"), [(5, 0), (13, 2), (21, 4), (85, 4)])
def test_a_window_too_small_for_the_overlap_still_advances(window: int, latents: int) -> None:
    settings = PassSettings.pass1(window=window)
    assert settings.overlap_latents == latents < settings.window_latents


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("height", 390, "height is 390; it must be a positive multiple of 16; the nearest is 384"),
        ("width", 0, "width is 0; .*nearest is 16"),
        ("width", 672.0, "width is 672.0; it must be a whole number"),
        ("window", 81, r"window is 81; it must be 4k\+1 with k odd .*nearest is 85"),
        ("window", 84, "nearest is 85"),
        ("max_frames", 201, "max_frames is 201; .*nearest is 197"),
        ("max_frames", 77, "max_frames is 77; it must be at least the window, 85"),
        ("overlap", 12, "overlap is 12; it must be a multiple of 8"),
        ("overlap", -8, "overlap is -8"),
        ("steps", 0, "steps is 0; it must be at least 1"),
        ("guidance_scale", 0.5, r"guidance_scale is 0.5; it must be 1.0 \(no guidance\) or more"),
        ("guidance_scale", float("nan"), "guidance_scale is nan"),
        ("mask_levels", "tri", 'mask_levels is \'tri\'; it must be "netflix" or "quad"'),
        ("seed", -1, "seed is -1; it must be from 0"),
    ],
)
def test_bad_settings_name_the_field_the_value_and_the_way_out(field: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PassSettings.pass1(**{field: value})


@pytest.mark.parametrize("module", ["void_server.model", "void_server.model.settings", "void_server.model.weights"])
def test_settings_and_weights_folders_need_no_torch(module: str) -> None:
    program = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
