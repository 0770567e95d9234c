"""Whether a folder lies where the system tells of changes: not on a network file system.

There, what another machine writes makes no event, so such a folder is looked through instead.
Linux says it in `/proc/self/mountinfo`, macOS in `statfs`. What is not known counts as local.
"""

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path

MOUNTINFO = Path("/proc/self/mountinfo")

# File systems whose content others change, a virtual machine's host among them. `fuse.*` is most
# often such a one (sshfs, rclone, s3fs); `fuseblk` is a disk of our own.
# fmt: off
NETWORK = frozenset({
    "9p", "afs", "autofs", "beegfs", "ceph", "cifs", "coda", "davfs", "drvfs", "gfs2", "glusterfs",
    "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "prl_fs", "smb3", "smbfs", "vboxsf",
    "virtiofs", "vmhgfs",
})
# fmt: on
_MNT_LOCAL = 0x1000  # macOS, of `f_flags`
_ESCAPES = {r"\040": " ", r"\011": "\t", r"\012": "\n", r"\134": "\\"}


def is_network(folder: Path) -> bool:
    """Whether changes in the folder may come without an event."""
    if sys.platform == "darwin":
        return _is_network_on_macos(folder)
    try:
        lines = MOUNTINFO.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return False
    return is_network_type(type_of(folder, lines))


def is_network_type(name: str) -> bool:
    return name in NETWORK or name.startswith("fuse.")


def type_of(folder: Path, mountinfo: Iterable[str]) -> str:
    """The type of the file system that a folder lies on; empty where it is not known.

    Args:
        folder: absolute, without links on its way.
        mountinfo: lines in the order of mounting: of two at one place the later one is seen.
    """
    deepest, found = -1, ""
    for line in mountinfo:
        fields, _, after = line.partition(" - ")
        parts, kind = fields.split(" "), after.split(" ", 1)[0]
        if len(parts) < 5 or not kind:
            continue
        place = Path(_unescaped(parts[4]))
        depth = len(place.parts)
        if depth >= deepest and (folder == place or place in folder.parents):
            deepest, found = depth, kind
    return found


def _unescaped(text: str) -> str:
    for escape, letter in _ESCAPES.items():
        text = text.replace(escape, letter)
    return text


class _Statfs(ctypes.Structure):
    """macOS, 64-bit inodes (`sys/mount.h`)."""

    _fields_ = (
        ("f_bsize", ctypes.c_uint32),
        ("f_iosize", ctypes.c_int32),
        ("f_blocks", ctypes.c_uint64 * 5),
        ("f_fsid", ctypes.c_int32 * 2),
        ("f_owner", ctypes.c_uint32),
        ("f_type", ctypes.c_uint32),
        ("f_flags", ctypes.c_uint32),
        ("f_fssubtype", ctypes.c_uint32),
        ("f_fstypename", ctypes.c_char * 16),
        ("f_mntonname", ctypes.c_char * 1024),
        ("f_mntfromname", ctypes.c_char * 1024),
        ("f_flags_ext", ctypes.c_uint32),
        ("f_reserved", ctypes.c_uint32 * 7),
    )


def _is_network_on_macos(folder: Path) -> bool:
    library = ctypes.CDLL(None)
    # On Intel the plain name is the old structure.
    call = getattr(library, "statfs$INODE64", None) or library.statfs
    found = _Statfs()
    if call(os.fsencode(folder), ctypes.byref(found)) != 0:
        return False
    return not found.f_flags & _MNT_LOCAL
