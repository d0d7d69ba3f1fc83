"""Imports go down only: numbers and files <- video <- networks <- scripts. See the syntax trees."""

import ast
from fnmatch import fnmatch
from pathlib import Path

import pytest
import tiny

LAYERS = [
    "command rollcall kinetics hub dataset body region clipspec preprocess clip history predictions table1 scores "
    "confidence calibration timing modalities grid checks readout feature_file archive unpack place split classtable "
    "listed chalearn_list ucf101_list zipcrypto kinect montalbano",
    "simd median5 tvl1 frame opticalflow synthetic vocabulary videocapture recording motion machine continuous paint "
    "overlay window baseline cutout",
    "bundle distribute augmentation datagenerator recipe refit run model_i3d model_lstm model_conv3d_lstm "
    "model_histogram sparse pruning finetune steps ledger onecore extract recurrent start ridge compact teacher "
    "averaging training streaming i3d_stages runtime exported recogniser modes poolless convert plot figure inference "
    "gradcam gallery robustness chart page comparison",
    "prepare_* feature train_* distill compress join evaluate report export predict livedemo",
]
NUMBERS, VIDEO, NETWORKS, SCRIPTS = range(4)
HEAVY = {"tensorflow", "keras", "torch", "jax", "matplotlib"}


def imported(path: Path) -> set[str]:
    """First names of everything that a file imports, inside functions too, by `importlib` too where it is a literal."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: a relative import; these are scripts that lie side by side"
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("importlib.import_module", "__import__"):
            found |= {value.value.split(".")[0] for value in node.args if isinstance(value, ast.Constant)}
    return found


MODULES = {path.stem: imported(path) for path in sorted(tiny.REPOSITORY.glob("*.py"))}
OWN = {name: uses & MODULES.keys() for name, uses in MODULES.items()}


def layers_of(name: str) -> list[int]:
    return [number for number, names in enumerate(LAYERS) if any(fnmatch(name, one) for one in names.split())]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_has_its_layer_and_imports_from_there_or_below(name):
    assert len(layers_of(name)) == 1, f"{name}.py stands in {len(layers_of(name))} layers of this test"
    own = layers_of(name)[0]
    above = {used for used in OWN[name] if layers_of(used) > [own]}
    assert not above, f"{name}.py imports {above} from a layer above it"


@pytest.mark.parametrize("name", [name for name in MODULES if layers_of(name) == [SCRIPTS]])
def test_a_script_imports_no_script(name):
    assert not {used for used in OWN[name] if layers_of(used) == [SCRIPTS]}


@pytest.mark.parametrize("name", [name for name in MODULES if layers_of(name) < [NETWORKS]])
def test_numbers_and_video_know_no_network(name):
    assert not MODULES[name] & HEAVY


@pytest.mark.parametrize("name", [name for name in MODULES if MODULES[name] & {"tensorflow", "keras"}])
def test_what_tensorflow_reads_is_set_before_it_is_imported(name):
    tree = ast.parse((tiny.REPOSITORY / f"{name}.py").read_text())
    first = [node.names[0].name if isinstance(node, ast.Import) else node.module
             for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]  # fmt: skip
    heavy = [number for number, used in enumerate(first) if used.split(".")[0] in ("tensorflow", "keras")]
    assert not heavy or "command" in first[: heavy[0]], f"{name}.py imports {first[heavy[0]]} before command"


def test_no_cycle():
    left = dict(OWN)
    while left:
        leaves = {name for name, uses in left.items() if not uses & left.keys()}
        assert leaves, f"these import each other: {sorted(left)}"
        for name in leaves:
            del left[name]


def test_no_file_is_a_drawer():
    assert not {"utils", "util", "helpers", "common", "misc"} & (MODULES.keys() | set().union(*MODULES.values()))


def test_every_name_in_the_table_is_a_file():
    names = {one for layer in LAYERS for one in layer.split() if "*" not in one}
    assert names <= MODULES.keys()


def test_the_reader_sees_imports_wherever_they_stand(tmp_path):
    path = tmp_path / "made.py"
    path.write_text("import a.b, c\nfrom d.e import f\ndef g():\n    import h as i\n    __import__('j')\n")
    assert imported(path) == {"a", "c", "d", "h", "j"}


@pytest.mark.parametrize("path", sorted((tiny.REPOSITORY / "benchmarks").glob("*.py")), ids=lambda path: path.stem)
def test_a_benchmark_finds_the_repository_before_it_imports_from_it(path):
    """Python puts benchmarks/ alone on its path, whoever starts it from where."""
    found = False
    for node in ast.parse(path.read_text()).body:
        found = found or "sys.path" in ast.unparse(node)
        if isinstance(node, ast.Import | ast.ImportFrom) and not found:
            names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            assert not {name.split(".")[0] for name in names} & MODULES.keys(), f"line {node.lineno}"
