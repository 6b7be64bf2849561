"""All blocks by the name they have in a document. A new one is one new file in this folder."""

import sys

from space.blocks.base import Block
from space.registry import Registry

BLOCKS: Registry[Block] = Registry(sys.modules[__name__], Block, "archsmith.blocks")  # type: ignore[type-abstract]
