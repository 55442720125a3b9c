"""A job's description as small as it can be, for tests of what is made of it."""

from __future__ import annotations

import msgspec

from void_server.service.messages import JobSpec

SPEC = msgspec.convert(
    {
        "first": 1,
        "last": 1,
        "inputs": {name: {"name": name, "sizes": [1]} for name in ("plate", "roto")},
        "prompt": "",
        "settings": {},
        "result": "plate",
    },
    JobSpec,
)
