"""All operations by name. A new one is one file beside this one and one line here."""

from space.operations.activation import Activation
from space.operations.add import Add
from space.operations.avgpool import AvgPool
from space.operations.base import Operation
from space.operations.batch_norm import BatchNorm
from space.operations.concat import Concat
from space.operations.conv2d import Conv2d
from space.operations.dropout import Dropout
from space.operations.flatten import Flatten
from space.operations.global_avg_pool import GlobalAvgPool
from space.operations.group_norm import GroupNorm
from space.operations.identity import Identity
from space.operations.input import Input
from space.operations.linear import Linear
from space.operations.maxpool import MaxPool

OPERATIONS: dict[str, Operation] = {
    "input": Input(),
    "conv2d": Conv2d(),
    "batch_norm": BatchNorm(),
    "group_norm": GroupNorm(),
    "activation": Activation(),
    "maxpool": MaxPool(),
    "avgpool": AvgPool(),
    "dropout": Dropout(),
    "add": Add(),
    "concat": Concat(),
    "global_avg_pool": GlobalAvgPool(),
    "flatten": Flatten(),
    "linear": Linear(),
    "identity": Identity(),
}
