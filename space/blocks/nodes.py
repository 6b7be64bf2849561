"""What the blocks of graph data share."""

from space.architecture import GraphBuilder
from space.blocks.base import Style, activation, normalise


def norm_act(g: GraphBuilder, place: str, source: str, style: Style) -> str:
    """Norm and activation of nodes as `place`.norm and .act."""
    return activation(g, f"{place}.act", normalise(g, f"{place}.norm", source, style.norm), style.activation)
