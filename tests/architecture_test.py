"""Imports go down only, and each outside library has its one room."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import dlgm_jax
from dlgm_jax.models.registry import MODELS

ROOT = Path(__file__).parent.parent
FLOORS = {
    **dict.fromkeys(("errors", "types"), 1),
    **dict.fromkeys(("data", "distributions", "networks", "features", "sparse", "sizes", "embeddings", "devices"), 2),
    **dict.fromkeys(("inference", "settings"), 3),
    "models": 4,
    **dict.fromkeys(("learning", "introspection"), 5),
    **dict.fromkeys(("evaluation", "storage"), 6),
    **dict.fromkeys(("estimators", "export"), 7),
    "": 7,  # the package's own list of public names
    "experiments": 8,
}
ROOMS = {
    "orbax": "dlgm_jax/storage/checkpoints.py",
    "matplotlib": "experiments/report/plots.py",
    "regex": "dlgm_jax/data/words.py",
    "stop_words": "dlgm_jax/data/words.py",
    "absl": "experiments/flags/command.py",
    "sklearn.base": "dlgm_jax/estimators/base.py",
    "sklearn.utils": "dlgm_jax/estimators/base.py",
    "sklearn.exceptions": "dlgm_jax/estimators/base.py",
    "sklearn.datasets": "dlgm_jax/data/datasets.py",
    "sklearn.feature_extraction.text": "dlgm_jax/data/words.py",
    "sklearn.cluster": "dlgm_jax/embeddings/clusters.py",
    "sklearn.metrics": "dlgm_jax/embeddings/clusters.py",
    "sklearn.decomposition": "dlgm_jax/embeddings/documents.py, experiments/findings/lda.py",
    "sklearn.linear_model": "dlgm_jax/embeddings/documents.py",
    "sklearn.neighbors": "dlgm_jax/embeddings/documents.py",
    "sklearn.preprocessing": "dlgm_jax/embeddings/documents.py",
    "sklearn.manifold": "experiments/report/plots.py",
}
FILES = sorted([*ROOT.glob("dlgm_jax/**/*.py"), *ROOT.glob("experiments/**/*.py")])


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            names = [f"{module}.{alias.name}" for alias in node.names]
            yield from (n if _is_module(n) else module for n in names)


def _is_module(name):
    path = ROOT / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").is_file()


def room(module):
    package, *rest = module.split(".")
    return "experiments" if package == "experiments" else (rest or [""])[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_only(path):
    inside = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    here = room(inside)
    for module in imports(path):
        if module.split(".")[0] in ("dlgm_jax", "experiments"):
            there = room(module)
            assert FLOORS[there] <= FLOORS[here], f"{inside} (floor {FLOORS[here]}) imports {module} upwards"
            if here == "data":
                assert there in ("data", "types", "errors"), (
                    f"{inside} imports {module}; data imports types and errors only"
                )
        for library, only in ROOMS.items():
            if module == library or module.startswith(library + "."):
                assert str(path.relative_to(ROOT)) in only.split(", "), f"{inside} imports {module}; only {only} may"
        if module.split(".")[0] == "sklearn":
            assert any(module.startswith(library) for library in ROOMS), f"{inside} imports {module}: name its room"


def test_every_room_has_a_floor_and_no_cycles():
    names = {".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p for p in FILES}
    assert {room(name) for name in names} <= set(FLOORS)
    graph = {name: {m for m in imports(path) if m in names and m != name} for name, path in names.items()}
    done: set[str] = set()
    while graph.keys() - done:
        free = {name for name in graph.keys() - done if graph[name] <= done}
        assert free, f"a cycle of imports among {sorted(graph.keys() - done)}"
        done |= free


CHANGES = """
import importlib, os, sys
changed = []

def watched(change):
    def call(environ, name, *value):
        frame = sys._getframe(1)
        while frame.f_globals["__name__"] in ("os", "collections.abc", "_collections_abc"):
            frame = frame.f_back
        if frame.f_globals["__name__"].split(".")[0] in ("dlgm_jax", "experiments"):
            changed.append((frame.f_globals["__name__"], name))
        return change(environ, name, *value)
    return call

kind = type(os.environ)
kind.__setitem__, kind.__delitem__ = watched(kind.__setitem__), watched(kind.__delitem__)
for name in sys.argv[1:]:
    importlib.import_module(name)
print(changed)
"""


def test_no_module_changes_the_environment_when_it_is_imported():
    """Looks only for what a module of ours sets: what other libraries set is theirs."""
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in FILES]
    command = [sys.executable, "-c", CHANGES, *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_public_names_are_imported_when_they_are_asked_for():
    code = "import sys, dlgm_jax.types; print(sorted({'sklearn', 'orbax', 'scipy'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert set(dlgm_jax.__all__) == {name for names in dlgm_jax._HOMES.values() for name in names}
    for name in dlgm_jax.__all__:
        assert getattr(dlgm_jax, name) is not None
    assert set(dlgm_jax.__all__) <= set(dir(dlgm_jax))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = dlgm_jax.nothing


def test_no_file_outside_models_names_a_model():
    """Commands and rooms know models by the registry. Public names, benchmarks and recipes may name those they show."""
    free = [ROOT / "dlgm_jax/__init__.py", *ROOT.glob("experiments/benchmarks/*.py")]
    free += [*ROOT.glob("experiments/recipes/*.py"), *ROOT.glob("dlgm_jax/models/**/*.py")]
    names = {name for name in MODELS if not name.isdecimal()}
    looked_at = [path for path in FILES if path not in free]
    assert len(looked_at) > 80
    for path in looked_at:
        for module in imports(path):
            allowed = ("dlgm_jax.models", "dlgm_jax.models.registry", "dlgm_jax.models.sampling")
            assert not module.startswith("dlgm_jax.models") or module in allowed, f"{path} imports {module}"
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts = [
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        assert not names.intersection(texts), f"{path} names {names.intersection(texts)}"
