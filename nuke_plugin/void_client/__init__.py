"""What runs beside the artist: the wire, the client, frame sequences, manifests.

In go EXR files and a job description; out come EXR bytes, frame by frame. Python 3.9, pyzmq and msgpack alone, so that
the same code runs inside Nuke 14, on a farm and in `void run`.
"""

__version__ = "0.1.0"
