"""Extensions by name: the one class a module holds; what was found is found again at no cost."""

import importlib
import inspect
import pkgutil
from functools import cache
from typing import Any, TypeVar

from nodehealth.kit import settings
from nodehealth.kit.settings import SettingsError

Base = TypeVar("Base")


def make(base: type[Base], package: str, name: str, written: object, *, path: str = "") -> Base:
    """Make the extension of that name with the settings that were written for it.

    Args:
        base: The abstract class.
        package: The package's full name, such as `agent.probes`.
        name: What people write, such as `reset-gpu`.
        written: A mapping of settings, or None for none.
        path: Where all this was read, for errors.

    Raises:
        nodehealth.kit.settings.SettingsError: there is no such extension, or a setting is wrong.
    """
    kind = find(base, package, name, path=path)
    return settings.read(kind, written, f"{path}.{name}" if path else name)


def find(base: type[Base], package: str, name: str, *, path: str = "") -> type[Base]:
    """Return the one subclass of a base that the module of that name in the package defines.

    Args:
        base: The abstract class.
        package: The package's full name, such as `agent.probes`.
        name: What people write, with dashes, such as `reset-gpu` for `reset_gpu.py`.
        path: Where the name was read, for the error.

    Raises:
        nodehealth.kit.settings.SettingsError: no module has that name, or it holds not one
            such class.
    """
    known = names(package)
    if name not in known:
        where = f"{path}: " if path else ""
        kind = base.__name__.lower()
        raise SettingsError(f"{where}no {kind} named {name!r}; known are {', '.join(known)}")
    module = f"{package}.{name.replace('-', '_')}"
    found: type[Base] = _only(base, module)  # type: ignore[arg-type]  # a class is hashable
    return found


@cache
def _only(base: type[Any], module_name: str) -> type[Any]:
    module = importlib.import_module(module_name)
    found = [
        each
        for each in vars(module).values()
        if inspect.isclass(each)
        and issubclass(each, base)
        and not inspect.isabstract(each)
        and each.__module__ == module.__name__
    ]
    if len(found) != 1:
        fact = ", ".join(each.__name__ for each in found) or "none"
        raise SettingsError(f"{module_name}: expected one {base.__name__}, found {fact}")
    return found[0]


@cache
def names(package: str) -> tuple[str, ...]:
    """List what a package's public modules are called, as people write it."""
    folders = importlib.import_module(package).__path__
    modules = (each.name for each in pkgutil.iter_modules(folders) if not each.ispkg)
    public = (each.replace("_", "-") for each in modules if not each.startswith("_"))
    return tuple(sorted(public))
