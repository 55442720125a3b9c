"""What may go wrong while a pass runs, other than a clip or weights that cannot be used."""


class OutOfMemory(RuntimeError):
    """A pass needed more memory than there is; the message says which pass, how large, and what to change."""


class BadCheckpoint(ValueError):
    """A checkpoint file that is missing, damaged or of another run; the message says which and what to do."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that there is no memory left, on the card or in the machine."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's, without importing it
        return True
    # The CPU's allocator raises a plain RuntimeError, worded differently on each system.
    words = ("out of memory", "not enough memory", "can't allocate memory")
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)
