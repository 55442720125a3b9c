"""What may go wrong while a pass runs, other than a clip or weights that cannot be used."""


class OutOfMemory(RuntimeError):
    """A pass needed more memory than there is; the message says which pass, how large, and what to change."""


class BadCheckpoint(ValueError):
    """A checkpoint file that is missing, damaged or of another run; the message says which and what to do."""
