"""How far a job is, in words and in percent: for the node's panel and for a farm's log."""

from __future__ import annotations

from .client import Message
from .protocol import STAGES

IN_WORDS = {
    "receiving": "sending frames",
    "queued": "waiting for its turn",
    "masking": "building the quadmask",
    "pass1": "pass 1",
    "warping": "warping noise",
    "pass2": "pass 2",
    "finishing": "compositing",
}
# How much of a bake lies behind when a stage begins, in percent; passes take nearly all of it.
BEGINS = dict(zip(STAGES, (0, 3, 4, 8, 35, 38, 94)))
BEGINS["done"] = 100
PASSES = ("pass1", "warping", "pass2")  # once for each part of the plate


def stage_in_words(state: Message) -> str:
    """A job's state as an artist reads it: stage, step and time left."""
    text = IN_WORDS.get(str(state["state"]), str(state["state"]))
    if state["state"] in PASSES and state.get("parts", 1) > 1:
        text += f", part {state['part']} of {state['parts']}"
    if state["steps"]:
        text += f", step {state['step']} of {state['steps']}"
    if state["eta"] is not None:
        text += f", about {duration(state['eta'])} left"
    return text


def percent(state: Message) -> int:
    """How much of a bake is done, roughly."""
    stage = state["state"]
    if stage not in STAGES:
        return 100
    following = [*STAGES, "done"][STAGES.index(stage) + 1]
    share = state["step"] / state["steps"] if state["steps"] else 0.0
    done = BEGINS[stage] + share * (BEGINS[following] - BEGINS[stage])
    if stage in PASSES:
        before, after = BEGINS["pass1"], BEGINS["finishing"]
        part, parts = state.get("part", 1), state.get("parts", 1)
        done = before + ((part - 1) * (after - before) + done - before) / parts
    return int(done)


def silence_in_words(seconds: float) -> str:
    """What is said of a server that has not been heard of for so long."""
    return f"the server has said nothing for {seconds:.0f} s; waiting for it to come back"


def duration(seconds: float) -> str:
    """Seconds as an artist reads them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
