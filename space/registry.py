"""Registries: operations and blocks by name, found in this package and among installed plugins.

Built in are all classes with a `name` in the files of the package: a new file is registered by being there. A plugin is
an installed distribution with an entry point in the registry's group. The entry point's name is "DISTRIBUTION.word"
("acme.gated"), so that it can never replace something built in, and so that whoever reads the name knows what to
install. A plugin is imported when it is first looked up.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from types import ModuleType
from typing import Generic, TypeVar

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Instances by name. Iteration gives the built-in ones only, sorted by name."""

    def __init__(self, package: ModuleType, base: type[T], group: str) -> None:
        """base: the class that all of them derive from. group: of the plugins' entry points."""
        self._base, self.group = base, group
        self._known: dict[str, T] = dict(sorted(_built_in(package, base)))
        self._built_in = tuple(self._known)
        self._broken: dict[str, str] = {}

    def __getitem__(self, name: str) -> T:
        """Raises KeyError if the name is neither built in nor installed, TypeError if a plugin is of a wrong class."""
        if name not in self._known and "." in name:
            self._load(name)
        return self._known[name]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._built_in)

    def __len__(self) -> int:
        return len(self._built_in)

    def missing(self, name: str) -> str | None:
        """Why a plugin is missing and what to do about it; None for a name that no plugin could have."""
        if name in self._broken:
            return f"the package that offers {name!r} ({self.group}) cannot be imported: {self._broken[name]}"
        distribution, dot, word = name.partition(".")
        if not dot or not distribution or not word:
            return None
        return f"no installed package offers {name!r} ({self.group}); install it first: pip install {distribution}"

    def _load(self, name: str) -> None:
        for entry in entry_points(group=self.group, name=name):
            try:
                made = entry.load()()
            except ImportError as error:
                self._broken[name] = str(error)
                continue
            if not isinstance(made, self._base):
                raise TypeError(f"the plugin {name} must be a {self._base.__name__}, got {type(made).__name__}")
            self._known[name] = made


def _built_in(package: ModuleType, base: type[T]) -> Iterator[tuple[str, T]]:
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        module = importlib.import_module(found.name)
        for kind in vars(module).values():
            ours = isinstance(kind, type) and issubclass(kind, base) and kind.__module__ == module.__name__
            if ours and not inspect.isabstract(kind) and "name" in vars(kind):
                yield vars(kind)["name"], kind()
