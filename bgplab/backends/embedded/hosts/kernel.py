"""The few system calls that Python 3.11 lacks: unshare, mount, pivot_root; user maps. Standard library only."""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MNT_DETACH = 0x2

_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def map_root_to(user: int, group: int) -> None:
    """Root of the user namespace just entered is this user and group of the one above (user_namespaces(7))."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def setns(descriptor: int, kind: int) -> None:
    _check(_libc.setns(ctypes.c_int(descriptor), ctypes.c_int(kind)), "setns")


def mount(source: str, target: str, filesystem: str = "", flags: int = 0, options: str = "") -> None:
    _check(
        _libc.mount(source.encode(), target.encode(), filesystem.encode(), ctypes.c_ulong(flags), options.encode()),
        f"mount {source or filesystem} on {target}",
    )


def bind(source: str, target: str, *, read_only: bool = False) -> None:
    """Bind-mount a file or directory; read-only takes a second call, as the kernel wants it."""
    mount(source, target, flags=MS_BIND | MS_REC)
    if read_only:
        mount("", target, flags=MS_BIND | MS_REMOUNT | MS_RDONLY | _kept_flags(target))


def _kept_flags(target: str) -> int:
    # In a user namespace a remount may not drop flags that the mount came with (EPERM otherwise).
    seen = os.statvfs(target).f_flag
    return sum(
        flag
        for theirs, flag in ((os.ST_NOSUID, MS_NOSUID), (os.ST_NODEV, MS_NODEV), (os.ST_NOATIME, 0x400))
        if seen & theirs
    ) | (0x200000 if seen & os.ST_RELATIME else 0)


def unmount(target: str) -> None:
    _check(_libc.umount2(target.encode(), ctypes.c_int(MNT_DETACH)), f"umount {target}")


def pivot_root(new_root: str) -> None:
    """Make `new_root` the root directory and let go of the old one."""
    os.chdir(new_root)
    number = _SYS_PIVOT_ROOT[os.uname().machine]
    _check(_libc.syscall(ctypes.c_long(number), b".", b"."), "pivot_root")
    unmount(".")
    os.chdir("/")


def make_mounts_private() -> None:
    mount("none", "/", flags=MS_REC | MS_PRIVATE)


def set_process_title(title: str) -> None:
    """What `ps` shows for this process: overwrites the argument area that the kernel laid out (proc(5), arg_start)."""
    with open("/proc/self/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    ctypes.memset(start, 0, end - start)
    ctypes.memmove(start, title.encode()[: end - start - 1], min(len(title), end - start - 1))
