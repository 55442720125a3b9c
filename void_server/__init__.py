"""VOID as a resident server: EXR plates and roto in, linear EXR plates out.

Read `shot.py` first. The rooms: `plates` (pixels at plate resolution), `masks` (roto to quadmask), `model` (the two
diffusion passes), `service` (socket, queue, worker), `training` (checkpoints). `cli.py` is the `void` command.
"""

from void_client import __version__ as __version__
