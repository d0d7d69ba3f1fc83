"""The house: imports go down only, from the scripts at the root to the rooms of signs/, and from room to room."""

import ast
from pathlib import Path

import tiny

# What a room may import from: itself and what stands before it.
FLOORS = [
    ["child_process", "console"],
    ["errors", "workers"],
    ["cluster", "estimate"],
    ["command"],
    ["wheel"],
    ["clips", "models"],
    ["flow", "prepare"],
    ["landmarks"],
    ["inference"],
    ["training", "live"],
    ["evaluation"],
    ["web"],
]
ROOMS = [room for floor in FLOORS for room in floor]
HEAVY = {"tensorflow", "keras", "torch", "jax", "matplotlib"}
LIGHT_ROOMS = (
    "clips",
    "flow",
    "prepare",
    "landmarks",
    "live",
    "web",
)  # nobody waits for TensorFlow to prepare, to cut and to see flow
HANDED_ON = {"datagenerator", "model_i3d"}  # scripts' names that other scripts may import


def imports_of(path: Path) -> set[str]:
    """Whole names of everything that a file imports, inside functions too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


SCRIPTS = {path.stem: imports_of(path) for path in sorted(tiny.REPOSITORY.glob("*.py"))}
MODULES = {
    ".".join(path.relative_to(tiny.REPOSITORY).with_suffix("").parts): imports_of(path)
    for path in sorted((tiny.REPOSITORY / "signs").rglob("*.py"))
    if path.name != "__init__.py"
}


def room_of(name: str) -> str:
    """`signs.clips.video.read_video` -> `clips`."""
    return name.split(".")[1]


def floor_of(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def test_every_room_is_in_the_plan():
    assert {room_of(name) for name in MODULES} == set(ROOMS)


def test_imports_go_down_only():
    up = [
        f"{name} imports {used}"
        for name, uses in MODULES.items()
        for used in sorted(uses)
        if used.startswith("signs.")
        and room_of(used) != room_of(name)
        and floor_of(room_of(used)) >= floor_of(room_of(name))
    ]
    assert not up


def test_no_room_imports_a_script():
    up = {name: uses & SCRIPTS.keys() for name, uses in MODULES.items() if uses & SCRIPTS.keys()}
    assert not up


def test_a_script_imports_no_script():
    others = {
        name: {used.split(".")[0] for used in uses} & (SCRIPTS.keys() - HANDED_ON) for name, uses in SCRIPTS.items()
    }
    assert not {name: used for name, used in others.items() if used - {name, "videocapture"}}


def test_no_circle():
    left = {
        name: {used for used in MODULES if used != name and any(f"{one}.".startswith(f"{used}.") for one in uses)}
        for name, uses in MODULES.items()
    }
    while left:
        leaves = {name for name, uses in left.items() if not uses & left.keys()}
        assert leaves, f"these import each other: {sorted(left)}"
        for name in leaves:
            del left[name]


def test_what_prepares_and_sees_knows_no_network():
    heavy = {name: {used.split(".")[0] for used in uses} & HEAVY for name, uses in MODULES.items()}
    assert not {name: used for name, used in heavy.items() if used and room_of(name) in LIGHT_ROOMS}


def test_what_tensorflow_reads_is_set_before_it_is_imported():
    """`signs/__init__.py` sets it, so in a script `signs` has to come before Keras."""
    for name in SCRIPTS:
        body = ast.parse((tiny.REPOSITORY / f"{name}.py").read_text(encoding="utf-8")).body
        order = [
            (node.names[0].name if isinstance(node, ast.Import) else node.module).split(".")[0]
            for node in body
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        heavy = [number for number, used in enumerate(order) if used in ("tensorflow", "keras")]
        assert not heavy or "signs" in order[: heavy[0]], f"{name}.py imports {order[heavy[0]]} before signs"


def test_a_clock_that_jumps_changes_nothing():
    """Durations are those of a clock that only goes on; what is up to date, hashes say."""
    wall = {"time.time", "datetime.now", "time.localtime", "time.gmtime", "getmtime"}
    files = [*tiny.REPOSITORY.glob("*.py"), *(tiny.REPOSITORY / "signs").rglob("*.py")]
    calls = {path.name: {call for call in wall if f"{call}(" in path.read_text(encoding="utf-8")} for path in files}
    assert len(files) > 100 and not {name: found for name, found in calls.items() if found}


def test_no_file_is_a_drawer():
    assert not {"utils", "util", "helpers", "common", "misc"} & {name.rpartition(".")[2] for name in MODULES}


def test_the_root_is_seen_at_a_glance():
    assert len(SCRIPTS) <= 29
