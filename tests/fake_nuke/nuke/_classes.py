"""The node classes the fake knows: their inputs and built-in knobs. Others keep their knobs as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

COMPRESSIONS = [
    "none",
    "ZIP (1 scanline)",
    "ZIP (16 scanlines)",
    "PIZ Wavelet (32 scanlines)",
    "RLE",
    "B44",
    "B44A",
    "DWAA",
    "DWAB",
]
METADATA = [
    "no metadata",
    "default metadata",
    "default metadata and exr/*",
    "all metadata except input/*",
    "all metadata",
]


@dataclass(frozen=True)
class KnobSpec:
    """A built-in knob: its class, name, default, items of a menu; `open`: the menu's list is not known in full."""

    kind: str
    name: str
    default: Any = None
    items: tuple[str, ...] = ()
    open: bool = False


@dataclass(frozen=True)
class NodeSpec:
    """A node class: how many inputs it can and must have, the place of its mask input, its knobs."""

    least: int
    most: int
    knobs: tuple[KnobSpec, ...] = ()
    mask: int | None = None


def _menu(name: str, items: str, default: int = 0, is_open: bool = False) -> KnobSpec:
    return KnobSpec("Enumeration_Knob", name, default, tuple(items.split("|")), is_open)


def _knobs(kind: str, names: str, default: Any = None) -> tuple[KnobSpec, ...]:
    return tuple(KnobSpec(kind, name, default) for name in names.split())


SCRIPTS = "onCreate onDestroy knobChanged updateUI autolabel panel"
COMMON = (
    *_knobs("String_Knob", "name"),
    *_knobs("Multiline_Eval_String_Knob", "help"),
    *_knobs("PythonKnob", SCRIPTS),
    *_knobs("ColorChip_Knob", "tile_color gl_color note_font_color"),
    *_knobs("Multiline_Eval_String_Knob", "label"),
    *_knobs("String_Knob", "note_font icon"),
    KnobSpec("Double_Knob", "note_font_size", 11.0),
    *_knobs("Boolean_Knob", "selected hide_input cached bookmark postage_stamp useLifetime"),
    *_knobs("Int_Knob", "xpos ypos lifetimeStart lifetimeEnd"),
    *_knobs("Disable_Knob", "disable"),
    KnobSpec("Boolean_Knob", "dope_sheet", False),
    KnobSpec("Double_Knob", "indicators", 0.0),
    KnobSpec("String_Knob", "mapsize"),
)
RENDER_SCRIPTS = _knobs("PythonKnob", "beforeRender beforeFrameRender afterFrameRender afterRender renderProgress")
COLORSPACE = _menu("colorspace", "default (linear)|linear|sRGB|rec709|Gamma1.8|Gamma2.2|raw", 0, True)
BEYOND = "hold|loop|bounce|black"

READ = (
    _menu("file_type", " |exr|dpx|png|jpeg|tiff|mov", 0, True),
    *_knobs("File_Knob", "file proxy"),
    KnobSpec("Format_Knob", "format"),
    KnobSpec("Format_Knob", "proxy_format"),
    *_knobs("Int_Knob", "first", 1),
    _menu("before", BEYOND),
    *_knobs("Int_Knob", "last", 1),
    _menu("after", BEYOND),
    _menu("frame_mode", "expression|start at|offset"),
    *_knobs("String_Knob", "frame version"),
    *_knobs("Int_Knob", "origfirst origlast", 1),
    *_knobs("Boolean_Knob", "origset raw premultiplied auto_alpha offset_negative_display_window reload_button"),
    KnobSpec("Boolean_Knob", "on_error_set", False),
    _menu("on_error", "error|black|checkerboard|nearest frame"),
    COLORSPACE,
    _menu("localizationPolicy", "on|from auto-localize path|on demand|off", 1),
)
WRITE = (
    KnobSpec("ChannelMask_Knob", "channels", "rgb"),
    *_knobs("File_Knob", "file proxy"),
    *_knobs("Int_Knob", "first last frame", 1),
    *_knobs("Boolean_Knob", "use_limit create_directories raw premultiplied checkHashOnRead reading"),
    KnobSpec("MultiView_Knob", "views", ""),
    COLORSPACE,
    _menu("file_type", " |exr|dpx|png|jpeg|tiff|mov", 0, True),
    _menu("transformType", "colorspace|display"),
    KnobSpec("Double_Knob", "render_order", 1.0),
    *RENDER_SCRIPTS,
)
# A Write has these once its file_type is exr, as in Nuke.
WRITE_EXR = (
    _menu("datatype", "16 bit half|32 bit float"),
    _menu("compression", "|".join(COMPRESSIONS), 1),
    _menu("metadata", "|".join(METADATA), 1),
    *_knobs("Boolean_Knob", "autocrop write_hash noprefix write_ACES_compliant_EXR"),
    _menu("interleave", "channels|channels, layers|channels, layers and views"),
    KnobSpec("Boolean_Knob", "standard_layer_name_format", False),
    KnobSpec("Double_Knob", "dw_compression_level", 45.0),
    _menu("heroview", "main", 0, True),
)
ROTO = (
    _menu("output", "alpha|rgba|rgb|none", 0, True),
    _menu("cliptype", "no clip|bbox|format", 2),
    KnobSpec("Boolean_Knob", "replace", False),
    KnobSpec("Knob", "curves", ""),
    KnobSpec("Knob", "toolbox", ""),
)
MASKED = (
    KnobSpec("ChannelMask_Knob", "channels", "rgb"),
    KnobSpec("Double_Knob", "mix", 1.0),
    KnobSpec("Channel_Knob", "maskChannelInput", "none"),
)
OCIO_CONFIGS = "nuke-default|aces_1.2|aces_1.1|fn-nuke_cg-config-v1.0.0_aces-v1.3_ocio-v2.1|custom"
ROOT = (
    *_knobs("File_Knob", "name project_directory"),
    *_knobs("Multiline_Eval_String_Knob", "label help"),
    *_knobs("Int_Knob", "frame first_frame", 1),
    *_knobs("Int_Knob", "last_frame", 100),
    KnobSpec("Boolean_Knob", "lock_range", False),
    KnobSpec("Double_Knob", "fps", 24.0),
    KnobSpec("Format_Knob", "format", "2K_Super_35(full-ap)"),
    KnobSpec("Boolean_Knob", "proxy", False),
    _menu("proxy_type", "format|scale"),
    KnobSpec("Format_Knob", "proxy_format"),
    KnobSpec("Double_Knob", "proxy_scale", 0.5),
    KnobSpec("Knob", "views", "main #ffffff\n"),
    *_knobs("PythonKnob", "onCreate knobChanged updateUI onScriptLoad onScriptSave onScriptClose"),
    *RENDER_SCRIPTS[:1],
    _menu("colorManagement", "Nuke|OCIO"),
    _menu("OCIO_config", OCIO_CONFIGS, 0, True),
    *_knobs("File_Knob", "customOCIOConfigPath"),
    KnobSpec("Enumeration_Knob", "workingSpaceLUT", 0, ("linear", "scene_linear", "ACES - ACEScg"), True),
    _menu("monitorLut", "sRGB|rec709", 0, True),
    _menu("int8Lut", "sRGB", 0, True),
    _menu("int16Lut", "sRGB", 0, True),
    _menu("logLut", "Cineon", 0, True),
    _menu("floatLut", "linear", 0, True),
)

SPECS: dict[str, NodeSpec] = {
    "Read": NodeSpec(0, 0, READ),
    "Write": NodeSpec(1, 1, WRITE),
    "Constant": NodeSpec(
        0,
        1,
        (
            KnobSpec("ChannelMask_Knob", "channels", "rgb"),
            KnobSpec("AColor_Knob", "color", 0.0),
            KnobSpec("Format_Knob", "format"),
            *_knobs("Int_Knob", "first last", 1),
        ),
    ),
    "Roto": NodeSpec(0, 1, ROTO),
    "RotoPaint": NodeSpec(0, 4, ROTO),
    "Grade": NodeSpec(
        1, 2, (*_knobs("AColor_Knob", "white multiply gamma", 1.0), *_knobs("AColor_Knob", "add", 0.0), *MASKED), 1
    ),
    "Merge2": NodeSpec(2, 64, (_menu("operation", "over|plus|multiply|max|min|copy", 0, True), *MASKED[1:]), 2),
    "Copy": NodeSpec(
        2,
        3,
        tuple(KnobSpec("Channel_Knob", f"{side}{i}", "none") for i in range(4) for side in ("from", "to")),
        2,
    ),
    "Shuffle": NodeSpec(
        1,
        2,
        (
            KnobSpec("Channel_Knob", "in", "rgba"),
            KnobSpec("Channel_Knob", "in2", "none"),
            KnobSpec("Channel_Knob", "out", "rgba"),
            *(_menu(name, "red|green|blue|alpha|black|white", i) for i, name in enumerate(("red", "green", "blue"))),
            _menu("alpha", "red|green|blue|alpha|black|white", 3),
        ),
    ),
    "Shuffle2": NodeSpec(
        1,
        2,
        (
            *_knobs("Knob", "mappings"),
            KnobSpec("Knob", "fromInput1", "{0} B"),
            KnobSpec("Knob", "fromInput2", "{0} B"),
            KnobSpec("Channel_Knob", "in1", "rgba"),
            KnobSpec("Channel_Knob", "in2", "none"),
            KnobSpec("Channel_Knob", "out1", "rgba"),
            KnobSpec("Channel_Knob", "out2", "none"),
        ),
    ),
    "Switch": NodeSpec(1, 64, (*_knobs("Double_Knob", "which"),)),
    "Dot": NodeSpec(1, 1),
    "NoOp": NodeSpec(1, 1),
    "StickyNote": NodeSpec(0, 0),
    "BackdropNode": NodeSpec(0, 0, (*_knobs("Double_Knob", "bdwidth bdheight", 100.0),)),
    "Viewer": NodeSpec(1, 10),
    "Expression": NodeSpec(
        1,
        2,
        (
            *(
                KnobSpec("Channel_Knob", f"channel{i}", name)
                for i, name in enumerate(("rgba.red", "rgba.green", "rgba.blue", "rgba.alpha"))
            ),
            *_knobs("String_Knob", "expr0 expr1 expr2 expr3"),
        ),
        1,
    ),
    "Reformat": NodeSpec(
        1,
        1,
        (
            _menu("type", "to format|to box|scale"),
            KnobSpec("Format_Knob", "format"),
            *_knobs("Int_Knob", "box_width box_height", 200),
            KnobSpec("Double_Knob", "scale", 1.0),
            _menu("resize", "none|width|height|fit|fill|distort", 1),
            _menu("filter", "Impulse|Cubic", 1, True),
            *_knobs("Boolean_Knob", "pbb black_outside"),
        ),
    ),
    "Crop": NodeSpec(1, 1, (*_knobs("BBox_Knob", "box"), *_knobs("Boolean_Knob", "reformat crop intersect", False))),
    "OneView": NodeSpec(1, 1, (_menu("view", "main|left|right", 0, True),)),
    "JoinViews": NodeSpec(1, 64),
    "Input": NodeSpec(0, 1, (*_knobs("Double_Knob", "number", 0.0),)),
    "Output": NodeSpec(1, 1),
    "Group": NodeSpec(0, 0),
    "LiveGroup": NodeSpec(0, 0, (*_knobs("File_Knob", "file"), KnobSpec("Boolean_Knob", "published", False))),
    "Precomp": NodeSpec(0, 1, (*_knobs("File_Knob", "file"),)),
}
