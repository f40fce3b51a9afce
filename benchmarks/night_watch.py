"""What must be so at every moment of a night that is killed, and after it."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.night_stage import Stage

BEFORE, AFTER = "m1", "m2"
"""Who is champion before the gate decides, and who afterwards."""

_PROMOTED = [(BEFORE, "retired", 1, 0, None, None), (AFTER, "champion", 1, 0, "better", 1)]


class ProofFailedError(RuntimeError):
    """Something was lost, doubled or half-written, or the proof could not be carried out."""


@dataclass(slots=True)
class Watch:
    """Looks at the champion again and again.

    Attributes
    ----------
    stage : Stage
        Where.
    looks : int
        How often.
    serves : str
        Who was champion at the last look.
    hashed : dict
        Hash of every weights file as it was last written.
    """

    stage: Stage
    looks: int = 0
    serves: str = BEFORE
    hashed: dict[tuple[str, int, int], str] = field(default_factory=dict)

    def begin_again(self, stage: Stage) -> None:
        """Make the project what a stage keeps of it, and watch it from there."""
        stage.set_up_again()
        self.serves = BEFORE

    def move_to(self, stage: Stage) -> None:
        """Watch another project, from its beginning."""
        self.stage, self.serves = stage, BEFORE

    def look(self) -> None:
        """Raise unless one model version is champion, with the weights it was registered with."""
        self.looks += 1
        found = self.stage.ask(
            "SELECT name, weights_uri, weights_sha256 FROM model_version WHERE state = 'champion'"
        )
        if len(found) != 1:
            raise ProofFailedError(f"{len(found)} model versions are champion")
        [(name, uri, sha256)] = found
        if self.serves == AFTER and name != AFTER:
            raise ProofFailedError(f"{name} is champion again after {AFTER} was promoted")
        self.serves = name
        status = Path(uri).stat()
        key = (uri, status.st_mtime_ns, status.st_size)
        if key not in self.hashed:
            self.hashed[key] = _hash(Path(uri))
        if self.hashed[key] != sha256:
            raise ProofFailedError(f"the weights of champion {name} are not those registered")


def expect_promoted(stage: Stage, how: str) -> None:
    """Raise unless the night promoted its challenger because it is better."""
    if (found := stage.told("who serves")) != _PROMOTED:
        raise ProofFailedError(f"{how}, expected {_PROMOTED}, found {found}")


def expect_same(
    stage: Stage, expected: dict[str, str], how: str, *, but: Iterable[str] = ()
) -> None:
    """Raise unless the project is what the undisturbed night made of it."""
    expect_promoted(stage, how)
    found = stage.content()
    wrong = [what for what in expected if what not in but and found[what] != expected[what]]
    if wrong:
        rows = {what: stage.told(what)[:8] for what in wrong}
        raise ProofFailedError(f"{how}, it ended with other {wrong}: {rows}")
    if stage.ask("SELECT count(*) FROM night_run") != [(1,)]:
        raise ProofFailedError("a night that was cut off did not go on as the same run")
    _expect_no_leftovers(stage, how)


def _expect_no_leftovers(stage: Stage, how: str) -> None:
    """Raise when a file of weights is missing, another than registered, or extra.

    What was cut off while it was written may be there, under its own name, for an hour.
    """
    models = stage.ask("SELECT weights_uri, weights_sha256 FROM model_version")
    for uri, sha256 in models:
        if _hash(Path(uri)) != sha256:
            raise ProofFailedError(f"{uri} is not what was registered")
    known = {sha256 for _, sha256 in models}
    strangers = [
        path.name
        for path in stage.settings.weights_dir.iterdir()
        if path.name.partition(".")[0] not in known and path.suffix != ".partial"
    ]
    training = stage.settings.data_dir / "training"
    strangers += [path.name for path in training.glob("*")]
    if strangers:
        raise ProofFailedError(f"{how}, it left {strangers}")


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
