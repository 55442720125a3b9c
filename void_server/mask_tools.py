"""What stands behind masks besides paint, from the options of `void serve`."""

from __future__ import annotations

from void_server.engine_options import CannotLoad, MaskOptions
from void_server.masking import MaskTools
from void_server.masks.endpoint import CannotReason
from void_server.masks.propagate import Propagator
from void_server.masks.reasoner import Reasoner


def load_mask_tools(options: MaskOptions) -> MaskTools:
    """SAM 2 and the reasoner, as far as the options name them. Raises CannotLoad."""
    try:
        return MaskTools(_sam2(options), _reasoner(options), options.answers)
    except CannotReason as error:
        raise CannotLoad(str(error)) from error


def _sam2(options: MaskOptions) -> Propagator | None:
    if options.sam2 is None:
        return None
    import torch  # only where it is needed

    from void_server.masks.sam2 import BadSam2, Sam2

    try:
        return Sam2.load(options.sam2, "cuda" if torch.cuda.is_available() else "cpu")
    except BadSam2 as error:
        raise CannotLoad(str(error)) from error


def _reasoner(options: MaskOptions) -> Reasoner | None:
    if options.reasoner == "gemini":
        from void_server.masks.gemini import ENDPOINT, MODEL, Gemini

        return Gemini(options.reasoner_model or MODEL, options.reasoner_endpoint or ENDPOINT)
    if options.reasoner == "openai":
        from void_server.masks.openai_compatible import OpenAICompatible

        if not (options.reasoner_model and options.reasoner_endpoint):
            raise CannotLoad(
                "an OpenAI-compatible reasoner has no defaults: give --reasoner-endpoint (http://127.0.0.1:11434/v1) "
                "and --reasoner-model"
            )
        return OpenAICompatible(options.reasoner_endpoint, options.reasoner_model)
    return None
