"""As much of a container engine as the image's test needs: each stage is a layer over this machine's root.

What it does not do is named in docs/how-to/run-in-containers.md, and a test keeps the two lists the same:
see `NOT_COVERED`.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path

from attrs import define, field

from tests.deploy.dockerfile import Stage, Step

NOT_COVERED = (
    "The base image: this machine's own system and Python stand in for `python:3.13-slim`.",
    "That nothing else is needed: this machine's programs and libraries are there, a slim image has few.",
    "The layers as an engine stores them, their sizes, and the manifest (labels, exposed port).",
    "A network of the container's own: the port is this machine's.",
    "Limits of memory and processes, seccomp, and dropped capabilities.",
    "Other architectures than this machine's.",
)
PASSED_ON = ("PIP_", "SSL_", "HTTP", "http", "NO_PROXY", "no_proxy", "ALL_PROXY")
"""Variables by which pip finds its index at this site."""
_PATH = "/base/bin:/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin"


class StepFailedError(Exception):
    """A step that did not end with 0, with what it printed."""


def why_not() -> str | None:
    """Say why no layer can be made here, or None."""
    if os.geteuid() != 0:
        return "layers need root: run this test as root, or in CI"
    if missing := [one for one in ("unshare", "setpriv", "mount") if shutil.which(one) is None]:
        return f"{', '.join(missing)} are not installed (Debian: util-linux, mount)"
    if not Path("/usr/bin/python3").exists():
        return "/usr/bin/python3 stands in for the base image, and is not there"
    return None


@define(eq=False)
class Layer:
    """The files of one stage: what it has changed is in `upper`."""

    folder: Path
    upper: Path = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.upper = self.folder / "upper"
        for name in ("upper", "work", "root"):
            (self.folder / name).mkdir(parents=True)

    def inside(self, path: str) -> Path:
        """Give where a path of the stage is, if the stage has made it."""
        return self.upper / path.lstrip("/")

    def command(
        self,
        command: Iterable[str],
        env: Mapping[str, str],
        *,
        user: str = "",
        writable: Mapping[str, Path] | None = None,
        workdir: str = "/",
    ) -> list[str]:
        """Give a command line that runs a command in this root, as the first process of its own.

        With `writable` the root is read-only but for these paths, each of which is a folder outside.
        """
        root = shlex.quote(str(self.folder / "root"))
        layers = f"lowerdir=/,upperdir={self.upper},workdir={self.folder / 'work'}"
        lines = [f"mount -t overlay overlay -o {shlex.quote(layers)} {root}"]
        for path, outside in (writable or {}).items():
            # A read-only /etc/pacer hides whatever this machine has there.
            self.inside(path).mkdir(parents=True, exist_ok=True)
            lines.append(f"mount --bind {shlex.quote(str(outside))} {root}{path}")
        lines += [f"mount --rbind /dev {root}/dev", f"mount -t proc proc {root}/proc"]
        if writable is not None:
            lines.append(f"mount -o remount,ro {root}")
        uid, _, gid = user.partition(":")
        drop = f"setpriv --reuid {uid} --regid {gid} --clear-groups --no-new-privs" if user else ""
        variables = [f"{name}={value}" for name, value in {"PATH": _PATH, **env}.items()]
        told = shlex.join(["env", "-i", *variables, "sh", "-c", 'cd "$0" && exec "$@"', workdir, *command])
        lines.append(f"exec chroot {root} {drop} {told}")
        own = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
        return [*own, "sh", "-c", " &&\n".join(lines)]


def site() -> dict[str, str]:
    """Give what pip needs to be told at this site."""
    return {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}


def build(stages: list[Stage], context: Path, ignore: Path, folder: Path) -> Layer:
    """Run all steps of all stages, and give the last one's layer.

    Raises StepFailedError with what a step has printed.
    """
    layers: dict[str, Layer] = {}
    for stage in stages:
        layer = layers[stage.name] = Layer(folder / stage.name)
        _base(layer)
        workdir = "/"
        for step in stage.steps:
            if step.word == "WORKDIR":
                workdir = step.rest
                layer.inside(workdir).mkdir(parents=True, exist_ok=True)
            elif step.word == "COPY":
                _copy(step, layers, layer, workdir, context, ignore)
            else:
                env = {**site(), **step.env}
                if "PATH" in env:
                    env["PATH"] = f"/base/bin:{env['PATH']}"
                _run(layer.command(["sh", "-c", step.rest], env, workdir=workdir), step)
    return layer


def _base(layer: Layer) -> None:
    """Put a Python first on the path, with pip, as the base image has it."""
    command = ["/usr/bin/python3", "-m", "venv", "/base"]
    _run(layer.command(command, site()), Step("FROM", "the base image", {}))


def _run(command: list[str], step: Step) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1500)
    if done.returncode:
        raise StepFailedError(f"{step.word} {step.rest}\nended with {done.returncode}:\n{done.stdout}")


def _copy(
    step: Step, layers: Mapping[str, Layer], layer: Layer, workdir: str, context: Path, ignore: Path
) -> None:
    words = step.rest.split()
    if words[0].startswith("--from="):
        _, source, target = words
        shutil.copytree(
            layers[words[0].removeprefix("--from=")].inside(source), layer.inside(target), symlinks=True
        )
        return
    source, target = words
    place = layer.inside(os.path.join(workdir, target))
    for name in sent(context, ignore):
        if source == "." or name == source:
            to = place if name == source else place / name
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(context / name, to, follow_symlinks=False)
    if not place.exists():
        raise StepFailedError(f"COPY {step.rest}: the build context has no {source}")


def sent(context: Path, ignore: Path) -> list[str]:
    """Give the files that the build context has: what git knows of, without what is ignored."""
    known = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=context, check=True, stdout=subprocess.PIPE, text=True,
    ).stdout.splitlines()  # fmt: skip
    rules = [line for line in ignore.read_text().splitlines() if line and not line.startswith("#")]
    return [name for name in known if os.path.lexists(context / name) and not _ignored(name, rules)]


def _ignored(name: str, rules: Iterable[str]) -> bool:
    """Go by the last rule that fits a file or a folder above it."""
    parts = name.split("/")
    above = ["/".join(parts[:number]) for number in range(1, len(parts) + 1)]
    ignored = False
    for rule in rules:
        pattern = rule.removeprefix("!")
        if pattern.startswith("**/"):
            fits = any(fnmatch(part, pattern.removeprefix("**/")) for part in parts)
        else:
            fits = pattern == "*" or pattern in above
        if fits:
            ignored = not rule.startswith("!")
    return ignored
