"""OCIO configs on disk, as a studio writes them: every number in them is known here."""

from __future__ import annotations

from pathlib import Path

# Of the spaces of `STUDIO`, to its reference, which is linear Rec.709.
WIDE = (0.7, 0.2, 0.1, 0.1, 0.8, 0.1, 0.05, 0.05, 0.9)
REFERENCE = "lin_rec709"


def matrix_transform(matrix: tuple[float, ...], offset: tuple[float, ...] = (0, 0, 0)) -> str:
    rows = [*matrix[0:3], 0, *matrix[3:6], 0, *matrix[6:9], 0, 0, 0, 0, 1]
    return f"!<MatrixTransform> {{matrix: {list(rows)}, offset: {[*offset, 0]}}}"


SPACES = {
    "Show Wide": matrix_transform(WIDE),
    "Show Log": "!<LogTransform> {base: 10, direction: inverse}",
    "Show sRGB": "!<ExponentWithLinearTransform> {gamma: 2.4, offset: 0.055}",
    "Show Clipped": "!<RangeTransform> {min_in_value: 0, min_out_value: 0, max_in_value: 1, max_out_value: 1}",
    "Show Lifted": matrix_transform(WIDE, (0.01, 0.01, 0.01)),
    "Show Grey": matrix_transform((0.2, 0.7, 0.1) * 3),
    "Show Lost": "!<FileTransform> {src: nowhere.spi1d}",
}


def write_config(
    path: Path,
    scene_linear: str = "Show Wide",
    reference: str = REFERENCE,
    interchange: str | None = None,
) -> Path:
    """A studio's config. interchange: the reference's transform to ACES2065-1, to be known by that role alone."""
    roles = {"default": reference, "scene_linear": scene_linear, "data": "Show Data"}
    spaces = [f'  - !<ColorSpace>\n    name: "{reference}"\n    aliases: [ref]']
    spaces += [
        f'  - !<ColorSpace>\n    name: "{name}"\n    to_scene_reference: {transform}'
        for name, transform in SPACES.items()
    ]
    spaces.append('  - !<ColorSpace>\n    name: "Show Data"\n    isdata: true')
    if interchange:
        roles["aces_interchange"] = "AP0"
        spaces.append(f"  - !<ColorSpace>\n    name: AP0\n    from_scene_reference: {interchange}")
    path.write_text(
        "ocio_profile_version: 2\nsearch_path: luts\nroles:\n"
        + "".join(f'  {role}: "{name}"\n' for role, name in roles.items())
        + f'displays:\n  screen:\n    - !<View> {{name: raw, colorspace: "{reference}"}}\ncolorspaces:\n'
        + "\n".join(spaces)
        + "\n"
    )
    return path
