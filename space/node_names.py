"""Names of nodes: dotted paths that become attribute paths of a torch module, so some words are not allowed."""

import keyword
import re
from functools import lru_cache

from space.operations.attributes import Misfit

MAX_LENGTH = 200
MAX_DEPTH = 16

_PART = r"(?:[a-z][a-z0-9_]{0,63}|0|[1-9][0-9]{0,5})"
_PATH = re.compile(rf"[a-z][a-z0-9_]{{0,63}}(?:\.{_PART}){{0,{MAX_DEPTH - 1}}}")

_WORDS = """
    add_module append apply bfloat16 buffers call_super_init children clear compile copy cpu cuda double dump_patches
    eval extend extra_repr float forward fromkeys get get_buffer get_extra_state get_parameter get_submodule half
    has_key insert ipu items keys load_state_dict modules mtia named_buffers named_children named_modules
    named_parameters parameters pop popitem register_backward_hook register_buffer register_forward_hook
    register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook
    register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module register_parameter
    register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ self set_extra_state set_submodule
    setdefault share_memory state_dict super to to_empty torch train training type update values xpu zero_grad
"""
TAKEN = frozenset(_WORDS.split())
"""Attributes that torch's modules and containers already have, and names that the generated code uses itself."""


def check_name(name: object) -> tuple[str, ...]:
    """The folders that a module of this name lies in, innermost first. Raises Misfit if no module can have the name."""
    return _folders(name if isinstance(name, str) else f"<{type(name).__name__}>")


@lru_cache(maxsize=16_384)  # the networks of a space use the same names; 16,384 of usual length take 3 MB
def _folders(name: str) -> tuple[str, ...]:
    if len(name) > MAX_LENGTH or not _PATH.fullmatch(name):
        rule = f"a path of at most {MAX_DEPTH} lower-case words or numbers joined by dots, the first one a word"
        raise Misfit(f"a node's name must be {rule}, got {name[:60]!r}")
    for part in name.split("."):
        if part in TAKEN or keyword.iskeyword(part):
            raise Misfit(f"a node's name cannot hold the word {part!r}: a module has it already")
    return tuple(name[:end] for end in range(len(name) - 1, 0, -1) if name[end] == ".")
