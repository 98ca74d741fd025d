"""What tests of the project itself need: where it lies, and its scripts as modules."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def script(name: str) -> Any:
    """A script of `scripts/` as a module, under a name that no test's module has."""
    own = f"scripts_{name}"
    spec = importlib.util.spec_from_file_location(own, ROOT / "scripts" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[own] = module
    spec.loader.exec_module(module)
    return module
