"""The border to exporters and runtimes: torch.export, torch.onnx, onnx, onnxscript, ONNX Runtime.

For a network or a file that they cannot handle they raise whatever happened to go wrong inside them: TypeError and
AttributeError from the middle of torch, or classes of ONNX Runtime that have no common ancestor below Exception. From
outside that looks like a bug of ours, so the two are told apart by place: only the call into the library is made inside
`third_party`, and what our own code around it raises stays what it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class ExportFailure(Exception):
    """A network cannot be exported, or what was exported does not load or run. The text is one line."""


@contextmanager
def third_party(library: str) -> Iterator[None]:
    """Turns whatever the library raises into an ExportFailure of one line: `ONNX Runtime: Fail: …`.

    Put nothing but the library's call inside.
    """
    try:
        yield
    except Exception as error:  # these libraries have no base class of their own for their errors
        first = next(iter(str(error).strip().splitlines()), "no message")
        raise ExportFailure(f"{library}: {type(error).__name__}: {first[:300]}") from error
