"""Pixels at plate resolution.

In come EXR bytes or files; out go frames as numpy arrays (scene-linear, as stored), the model's view of them
(display-referred, 0..1) and back again, and EXR bytes whose pixels outside the matte are the source's to the bit.
One frame at a time: nothing here holds a shot.
"""
