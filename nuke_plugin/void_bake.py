"""Bake the VOID nodes of a script without a GUI: `nuke -t void_bake.py shot.nk --save`. `--help` tells the rest."""

import sys

from void_nuke.terminal import main

sys.exit(main(sys.argv[1:]))
