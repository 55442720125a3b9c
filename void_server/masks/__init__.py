"""What is to be removed and what it affects.

In come mattes at plate resolution, one frame at a time; out go quadmasks, uint8 [h, w]: 0 primary (to remove),
63 primary and affected, 127 affected, 255 keep.
"""
