"""The userland of lab hosts: Debian packages unpacked into a cache. Nothing is installed, no service is ever enabled.

apt resolves the whole closure against an empty package database and checks the archive's signature, so hosts are the
same Debian 12 (FRR 8.4.4, as in the guide) on whatever machine; gobgpd 3.36 (Cilium 1.18's engine) and
etcd 3.5 (its mesh's store) come from Debian 13 (docs/decisions). Works as an ordinary user.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bgplab.errors import MachineError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

#: suite → packages. Dependencies follow for bookworm; the others need none but its libc.
BOOKWORM = [
    "frr",
    "bash",
    "dash",
    "coreutils",
    "grep",
    "sed",
    "gawk",
    "findutils",
    "util-linux",
    "bsdutils",
    "procps",
    "iproute2",
    "nftables",
    "conntrack",
    "curl",
    "openssh-sftp-server",
    "python3",
    "iputils-ping",
    "tcpdump",
    "less",
    "hostname",
    "libc-bin",
    "netbase",
    "gzip",
    "tar",
    "vim-tiny",
    "bind9-host",
    "bind9-dnsutils",
    "apache2-utils",
    "debianutils",
]
TRIXIE = ("gobgpd", "etcd-server", "etcd-client")

NOT_UNPACKED = ("./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./usr/share/info", "./usr/share/lintian")

_RECIPE = "3"  # raise when what is unpacked changes without the lists changing


def cache_directory() -> Path:
    base = os.environ.get("BGPLAB_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "bgp-lab"
    )
    return Path(base)


def userland_directory() -> Path:
    """Where the userland is, or will be. `BGPLAB_USERLAND` names one that is already there."""
    given = os.environ.get("BGPLAB_USERLAND")
    if given:
        return Path(given)
    recipe = repr((_RECIPE, BOOKWORM, TRIXIE, NOT_UNPACKED))
    return cache_directory() / "userland" / hashlib.sha256(recipe.encode()).hexdigest()[:12]


def is_ready(directory: Path) -> bool:
    return (directory / "complete").exists() or (
        "BGPLAB_USERLAND" in os.environ and (directory / "usr/lib/frr").is_dir()
    )


def require_userland() -> Path:
    """The userland's directory. Raises MachineError when it has not been fetched yet."""
    directory = userland_directory()
    if not is_ready(directory):
        raise MachineError(f"the hosts' userland is not in {directory}", "run `bgp-lab setup` (or `make setup`)")
    return directory


def debian_mirror() -> str:
    """The Debian mirror this machine already uses, or `BGPLAB_DEBIAN_MIRROR`."""
    given = os.environ.get("BGPLAB_DEBIAN_MIRROR")
    if given:
        return given
    for tool in ("apt-get", "dpkg-deb", "tar"):
        if not shutil.which(tool):
            raise MachineError(
                f"`{tool}` is missing: the hosts' userland is unpacked from Debian packages",
                "use a Debian or Ubuntu machine, or set BGPLAB_USERLAND to a directory with an unpacked Debian 12"
                f" that holds: {', '.join((*BOOKWORM, *TRIXIE))}",
            )
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(REPO_URI)|$(CODENAME)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    for line in listed.splitlines():
        origin, address, codename = [*line.split("|"), "", ""][:3]
        if origin == "Debian" and not codename.endswith("-security"):
            return address
    return _mirror_from_sources()


def _mirror_from_sources() -> str:
    """apt knows origins only after an update; then the source lists themselves are read."""
    lists = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    for path in lists:
        for line in path.read_text().splitlines() if path.is_file() else []:
            words = line.split()
            if words[:1] == ["URIs:"] and "security" not in words[1] and _is_debian_source(path):
                return words[1]
            if words[:1] == ["deb"]:
                address = next((word for word in words[1:] if "://" in word), "")
                if address and "security" not in address and "debian" in address:
                    return address
    raise MachineError(
        "no Debian mirror is known on this machine",
        "set BGPLAB_DEBIAN_MIRROR to one (a http address that ends in /debian), with the package"
        " debian-archive-keyring installed",
    )


def _is_debian_source(path: Path) -> bool:
    return "debian-archive" in path.read_text()


def fetch_userland(say: Callable[[str], None] = lambda _: None) -> Path:
    """Download and unpack what is missing. Repeatable; a second call fetches nothing. Raises MachineError."""
    directory = userland_directory()
    if is_ready(directory):
        return directory
    if not KEYRING.exists():
        raise MachineError(f"{KEYRING} is missing", "install the package debian-archive-keyring")
    mirror = debian_mirror()
    work = directory.with_name(directory.name + f".{os.getpid()}")
    shutil.rmtree(work, ignore_errors=True)
    try:
        root = work / "root"
        _prepare(root)
        say("hosts' userland: downloading Debian 12 packages (about 55 MB)")
        packages = _download(work / "bookworm", mirror, "bookworm", ["install", "--download-only", *BOOKWORM])
        say("hosts' userland: downloading gobgpd and etcd from Debian 13 (about 28 MB)")
        packages += _download(work / "trixie", mirror, "trixie", ["download", *TRIXIE])
        say(f"hosts' userland: unpacking {len(packages)} packages")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda package: _unpack(package, root), packages))
        _finish(root)
        (root / "packages").write_text("".join(f"{_name_and_version(package)}\n" for package in packages))
        (root / "complete").touch()
        directory.parent.mkdir(parents=True, exist_ok=True)
        try:
            root.rename(directory)
        except OSError:
            if not is_ready(directory):  # somebody else was faster, or something is in the way
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return directory


def _prepare(root: Path) -> None:
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(f"usr/{name}")


def _download(work: Path, mirror: str, suite: str, command: list[str]) -> list[Path]:
    for name in ("lists/partial", "archives/partial"):
        (work / name).mkdir(parents=True)
    (work / "status").touch()
    (work / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror} {suite} main\n")
    options = {
        "Dir::Etc::SourceList": work / "sources.list",
        "Dir::Etc::SourceParts": "-",
        "Dir::State::Lists": work / "lists",
        "Dir::State::status": work / "status",
        "Dir::Cache": work,
        "Dir::Cache::archives": work / "archives",
        "Debug::NoLocking": "1",
        "APT::Sandbox::User": "",
        "APT::Install-Recommends": "0",
        "APT::Get::Assume-Yes": "1",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    base = ["apt-get", "-qq", *(word for key, value in options.items() for word in ("-o", f"{key}={value}"))]
    for words in (["update"], command):
        done = subprocess.run([*base, *words], cwd=work / "archives", capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise MachineError(
                f"apt-get {words[0]} for Debian {suite} failed: {done.stderr.strip()[-600:]}",
                "check that this machine reaches its Debian mirror (BGPLAB_DEBIAN_MIRROR names another)",
            )
    return sorted((work / "archives").glob("*.deb"))


def _unpack(package: Path, root: Path) -> None:
    excludes = [f"--exclude={pattern}" for pattern in NOT_UNPACKED]
    reader = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE)
    # --keep-directory-symlink: packages still say ./bin and ./lib, which here are links into ./usr
    unpacked = subprocess.run(
        ["tar", "-x", "-C", str(root), "--keep-directory-symlink", "--no-same-owner", *excludes],
        stdin=reader.stdout,
        capture_output=True,
        text=True,
        check=False,
    )
    if reader.wait() != 0 or unpacked.returncode != 0:
        raise MachineError(f"{package.name} could not be unpacked: {unpacked.stderr.strip()[-300:]}", "try again")


def _name_and_version(package: Path) -> str:
    name, version, _ = package.name.rsplit("_", 2)
    return f"{name} {version.replace('%3a', ':')}"


def _finish(root: Path) -> None:
    """What maintainer scripts would have done, as far as a lab host needs it; and no set-id bits in a cache."""
    usr = root / "usr"
    (usr / "local/bin").mkdir(parents=True, exist_ok=True)
    for name, target in (("sh", "dash"), ("awk", "gawk"), ("vi", "vim.tiny"), ("which", "which.debianutils")):
        link = usr / "bin" / name
        if not link.exists() and (usr / "bin" / target).exists():
            link.symlink_to(target)
    for path in usr.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o6000:
            path.chmod(path.stat().st_mode & 0o1777)


def package_versions() -> dict[str, str]:
    """Versions of the packages that matter in a lab, from the cache; empty before it is there."""
    path = userland_directory() / "packages"
    known = dict(line.split(" ", 1) for line in path.read_text().splitlines()) if path.exists() else {}
    return {name: known[name] for name in ("frr", "gobgpd", "etcd-server", "nftables", "iproute2") if name in known}
