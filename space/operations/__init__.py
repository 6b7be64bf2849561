"""All operations by name. A new one is one new file in this folder; see docs/adding-a-block-or-operation.md."""

import sys

from space.operations.base import Operation
from space.registry import Registry

OPERATIONS: Registry[Operation] = Registry(sys.modules[__name__], Operation, "archsmith.operations")  # type: ignore[type-abstract]
