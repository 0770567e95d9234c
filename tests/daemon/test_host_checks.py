"""What a machine could give away: files as real systems have them, and what is said about them."""

import os
from pathlib import Path

import pytest

from daemon.home import Home
from daemon.host_checks import (
    Device,
    HostReadings,
    SwapArea,
    examine_machine,
    host_findings,
    in_clear,
    parse_file_vault,
    parse_swaps,
    read_host,
    warnings,
)

SWAPS = """\
Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority
/dev/dm-1                               partition\t16777212\t1024\t\t-2
/home/a\\040b/swapfile                   file\t\t2097148\t\t0\t\t-3
/dev/zram0                              partition\t8388604\t\t0\t\t100
"""

LUKS = Device(name="dm-0", mapped_as="CRYPT-LUKS2-2b1c-cryptdata", below=("nvme0n1",))
VOLUME = Device(name="dm-1", mapped_as="LVM-Qx8", below=("dm-0",))
BARE = Device(name="nvme0n1")
PLAIN_VOLUME = Device(name="dm-2", mapped_as="LVM-Qx9", below=("nvme0n1",))
BOTH = Device(name="dm-3", mapped_as="LVM-Qx7", below=("dm-0", "nvme0n1"))
ZRAM = Device(name="zram0")
WRITING_ZRAM = Device(name="zram1", backing="nvme0n1")
SEALED_ZRAM = Device(name="zram2", backing="dm-0")
LOOP = Device(name="dm-9", below=("dm-9",))
DEVICES = {
    one.name: one
    for one in (LUKS, VOLUME, BARE, PLAIN_VOLUME, BOTH, ZRAM, WRITING_ZRAM, SEALED_ZRAM, LOOP)
}


def found(readings: HostReadings) -> dict[str, bool | None]:
    return {one.name: one.holds for one in host_findings(readings)}


def reading(*devices: str, states: str = "freeze mem disk", resumes: str = "254:1") -> HostReadings:
    return HostReadings(
        swaps=tuple(SwapArea(kind="partition", device=name) for name in devices),
        devices=DEVICES,
        power_states=states,
        resumes_from=resumes,
    )


def test_the_lines_of_proc_swaps_are_read_with_blanks_in_names() -> None:
    assert parse_swaps(SWAPS) == [
        ("/dev/dm-1", "partition"),
        ("/home/a b/swapfile", "file"),
        ("/dev/zram0", "partition"),
    ]
    assert parse_swaps("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n") == []


@pytest.mark.parametrize(
    ("device", "clear"),
    [
        ("nvme0n1", True),
        ("dm-0", False),
        ("dm-1", False),  # a volume on a sealed disk
        ("dm-2", True),
        ("dm-3", True),  # over two disks, one of them bare
        ("zram0", False),  # in memory
        ("zram1", True),  # written out to a bare disk
        ("zram2", False),
        ("dm-9", None),
        ("sdz", None),
        ("", None),
    ],
)
def test_a_swap_area_is_sealed_when_all_below_it_is(device: str, clear: bool | None) -> None:
    assert in_clear(SwapArea(kind="partition", device=device), DEVICES) is clear


def test_swap_in_clear_is_warned_of_and_so_is_hibernation_to_it() -> None:
    assert found(reading("dm-2")) == {"swap": False, "hibernation": False, "permissions": True}
    told = warnings(host_findings(reading("dm-2")))
    assert [one["name"] for one in told] == ["swap", "hibernation"]
    assert all(one["advice"] for one in told)


@pytest.mark.parametrize(
    "readings",
    [
        reading("dm-2", states="freeze mem"),  # cannot hibernate
        reading("dm-2", resumes="0:0"),  # would not come back
        reading("dm-1"),
        reading("zram0"),
        reading(),
    ],
)
def test_hibernation_is_well_where_it_writes_nothing_in_clear(readings: HostReadings) -> None:
    assert found(readings)["hibernation"] is True


def test_swap_that_nobody_can_judge_is_told_and_no_warning() -> None:
    assert found(reading("sdz"))["swap"] is None
    assert warnings(host_findings(reading("sdz"))) == []


@pytest.mark.parametrize(
    ("pattern", "limit", "dumpable", "well"),
    [
        ("core\n", 0, True, True),
        ("core\n", -1, True, False),
        ("|/usr/lib/systemd/systemd-coredump %P %u %g %s %t\n", 0, True, False),
        ("|/usr/share/apport/apport -p%p\n", -1, False, True),
    ],
)
def test_a_core_dump_that_goes_to_a_program_ignores_the_limit(
    pattern: str, limit: int, dumpable: bool, well: bool
) -> None:
    readings = HostReadings(core_pattern=pattern, core_limit=limit, dumpable=dumpable)
    assert found(readings)["core dumps"] is well


@pytest.mark.parametrize(
    ("said", "is_on"),
    [("FileVault is On.\n", True), ("FileVault is Off.\n", False), ("Error: not macOS\n", None)],
)
def test_file_vault_says_whether_it_is_on(said: str, is_on: bool | None) -> None:
    assert parse_file_vault(said) is is_on


def test_what_is_not_known_is_not_spoken_of() -> None:
    assert found(HostReadings()) == {"permissions": True}
    assert found(HostReadings(file_vault=False)) == {"FileVault": False, "permissions": True}


def test_a_machine_is_read_from_its_files(tmp_path: Path) -> None:
    """A disk with a sealed part that holds the swap, as /proc and /sys show it."""
    block = tmp_path / "sys/block"
    for name, text in {
        "proc/swaps": "Filename Type Size Used Priority\n/dev/nl-none-3 partition 9 0 -2\n",
        "sys/power/state": "freeze mem disk\n",
        "sys/power/resume": "254:1\n",
        "proc/sys/kernel/core_pattern": "core\n",
        "sys/block/dm-0/dm/uuid": "CRYPT-PLAIN-swap\n",
        "sys/block/zram0/backing_dev": "/dev/nl-none-3\n",
    }.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (block / "nl-none" / "nl-none-3").mkdir(parents=True)
    (block / "dm-0" / "slaves" / "nl-none-3").mkdir(parents=True)

    read = read_host(Home.under(tmp_path / "home"), root=tmp_path)

    assert read.swaps == (SwapArea(kind="partition", device="nl-none"),)
    assert read.devices["dm-0"] == Device(
        name="dm-0", mapped_as="CRYPT-PLAIN-swap", below=("nl-none",)
    )
    assert read.devices["zram0"].backing == "nl-none"
    assert found(read)["swap"] is False
    assert found(read)["hibernation"] is False


def test_this_machine_can_be_read(tmp_path: Path) -> None:
    home = Home.under(tmp_path / "home")
    (tmp_path / "home").mkdir(mode=0o700)
    home.create_folders()
    names = [one.name for one in examine_machine(home)]
    assert "permissions" in names
    assert "core dumps" not in names


@pytest.mark.parametrize("mode", [0o750, 0o705])
def test_a_folder_of_the_home_that_is_open_to_others_is_warned_of(
    tmp_path: Path, mode: int
) -> None:
    home = Home.under(tmp_path / "home")
    (tmp_path / "home").mkdir(mode=0o700)
    home.create_folders()
    (tmp_path / "home").chmod(mode)
    [warning] = [one for one in warnings(examine_machine(home)) if one["name"] == "permissions"]
    assert "1 of nightloom's folders" in warning["value"]
    assert os.fspath(tmp_path) not in str(warning)
