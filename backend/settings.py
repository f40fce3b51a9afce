"""Every environment variable of the project, once.

Each field is read from ``OVERREAD_<NAME>`` or, for secrets in containers, from the file
``/run/secrets/overread_<name>``.
"""

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

_SECRETS = Path("/run/secrets")
_SHORTEST_KEY = 32


class SecretKeyError(ValueError):
    """The kept secret key is unusable."""


class Settings(BaseSettings):
    """What can be configured; every default works on one machine.

    Attributes
    ----------
    data_dir : Path
        Folder of everything that the embedded default keeps: database, secret, weights,
        served images, releases.
    database_url : SecretStr or None
        SQLAlchemy URL, for example ``postgresql://user:password@host/overread``; SQLite in
        `data_dir` when unset.
    secret_key : SecretStr or None
        At least 32 characters; every other secret is derived from it. When unset, one is made
        and kept in `data_dir`.
    backend_url : str
        Where browsers and Label Studio reach the backend.
    backend_host, backend_port : str, int
        Where the backend listens.
    label_studio_url : str
        Where browsers and the backend reach Label Studio.
    label_studio_command : Path
        The `label-studio` executable, for provisioning and for starting it on this machine.
    label_studio_data_dir : Path or None
        Label Studio's own data folder; inside `data_dir` when unset.
    label_studio_admin_token : SecretStr or None
        API token of a user of Label Studio's first organisation, where its shell is out of
        reach; all readers then share that organisation, and blinding is procedural.
    ml_backend_url : str
        Where Label Studio and the backend reach the ML backend.
    ml_backend_host, ml_backend_port : str, int
        Where the ML backend listens.
    """

    model_config = SettingsConfigDict(
        env_prefix="OVERREAD_",
        secrets_dir=_SECRETS if _SECRETS.is_dir() else None,
        extra="ignore",
        populate_by_name=True,
    )

    data_dir: Path = Path("overread-data")
    database_url: SecretStr | None = None
    secret_key: SecretStr | None = Field(default=None, min_length=_SHORTEST_KEY)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    backend_url: str = "http://127.0.0.1:8090"
    backend_host: str = "127.0.0.1"
    backend_port: int = 8090

    label_studio_url: str = "http://127.0.0.1:8080"
    label_studio_command: Path = Path(".venv-label-studio/bin/label-studio")
    label_studio_data_dir: Path | None = None
    label_studio_admin_token: SecretStr | None = Field(
        default=None, description="for one shared organisation; blinding is then procedural"
    )

    ml_backend_url: str = "http://127.0.0.1:9090"
    ml_backend_host: str = "127.0.0.1"
    ml_backend_port: int = 9090

    readers_per_image: int = Field(
        default=3, ge=1, description="independent readings wanted, at most if panels adapt"
    )
    adaptive_panels: bool = Field(
        default=True, description="two readers; a further one only where they leave it uncertain"
    )
    reservation_days: float = Field(
        default=14, gt=0, description="so long an image waits for its reader"
    )
    worklist_size: int = Field(default=40, ge=1, description="open entries kept per reader")
    unassisted_share: float = Field(default=0.1, ge=0, le=1, description="read without boxes")
    random_share: float = Field(default=0.05, ge=0, le=1, description="uniformly random entries")
    queue_strategy: str = Field(default="overread", description="how images are chosen")
    second_looks: bool = Field(default=True, description="ask again where the model disagrees")
    second_look_share: float = Field(default=0.1, ge=0, le=1, description="at most, per reader")
    second_look_quiet_minutes: float = Field(
        default=10, ge=0, description="so long a reading must be unchanged before"
    )
    gold_share: float = Field(
        default=0.05, ge=0, le=1, description="adjudicated images, to measure"
    )
    seed: int = Field(default=20260101, description="of every random choice")
    image_link_days: int = Field(default=30, ge=1, description="life of a signed image link")
    adjudicators_per_image: int = Field(
        default=1, ge=1, le=2, description="adjudicators who must agree before a verdict stands"
    )
    adjudication_size: int = Field(
        default=100, ge=1, description="images that wait for an adjudicator at a time"
    )

    detector: Literal["yolo", "scripted"] = "yolo"
    base_weights: str = Field(
        default="yolo26n.pt", description="what is fine-tuned without a champion: name or file"
    )
    train_image_size_px: int = Field(default=640, ge=32, multiple_of=32)
    train_epochs: int = Field(default=60, ge=1)
    train_batch_size: int = Field(default=16, ge=1)
    train_from: Literal["champion", "base"] = Field(
        default="champion", description="what a challenger is fine-tuned from"
    )
    train_patience: int = Field(
        default=20, ge=0, description="epochs without a better validation; 0: all are trained"
    )
    train_consensus_weights: Literal["soft", "earl", "off"] = Field(
        default="soft", description="how doubtful boxes count less in training"
    )
    train_repeat_below: float = Field(
        default=0.05, ge=0, le=1, description="findings on fewer images are shown more often"
    )
    train_negatives_per_positive: float = Field(
        default=1.5, ge=0, description='images without findings in training; "inf" for all'
    )
    false_marks_per_image: float = Field(
        default=1.0, gt=0, description="false boxes per image that readers may be shown"
    )
    device: str = Field(default="auto", description='"auto", "cpu", a CUDA index, several: "0,1"')
    runtime: Literal["auto", "torch", "onnxruntime", "openvino", "openvino-bf16"] = "auto"
    shadow_images: int = Field(
        default=0, ge=0, description="images a challenger scores silently before it serves"
    )
    image_cache_gb: float = Field(
        default=20.0, ge=0, description="small copies kept of registered images, at most"
    )
    predict_request_mb: float = Field(
        default=8.0, gt=0, description="largest request that the ML backend reads"
    )
    waiting_images: int = Field(
        default=2000, ge=1, description="images that may wait for the detector at once"
    )
    sync_every_seconds: int = Field(default=300, ge=5, description="reconciling sync")
    nightly_schedule: str = Field(default="0 2 * * *", description="cron, in that time zone")
    time_zone: str | None = Field(
        default=None,
        validation_alias=AliasChoices("OVERREAD_TIME_ZONE", "TZ"),
        description='of the schedule, e.g. "Europe/Berlin"; the machine\'s when unset',
    )

    @property
    def sqlalchemy_url(self) -> str:
        """The database to use, with its password."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{(self.data_dir / 'overread.sqlite3').absolute()}"

    @property
    def weights_dir(self) -> Path:
        """Where weights of model versions are kept."""
        return self.data_dir / "weights"

    @property
    def exports_dir(self) -> Path:
        """Where networks are kept as runtimes read them; may be deleted at any time."""
        return self.weights_dir / "exports"

    @property
    def image_cache_dir(self) -> Path:
        """Where small copies of registered images are kept; may be deleted at any time."""
        return self.data_dir / "image-cache"

    @property
    def image_cache_bytes(self) -> float:
        """How much of them is kept."""
        return self.image_cache_gb * 1e9

    @property
    def label_studio_dir(self) -> Path:
        """Label Studio's own data folder."""
        return (self.label_studio_data_dir or self.data_dir / "label-studio").absolute()

    @property
    def image_link_secret(self) -> str:
        """What image links are signed with."""
        return self.derived_secret("image-links")

    @cached_property
    def _root_secret(self) -> bytes:
        if self.secret_key is not None:
            return self.secret_key.get_secret_value().encode()
        kept = self.data_dir / "secret-key"
        if not kept.exists():
            self.data_dir.mkdir(parents=True, exist_ok=True)
            _write_once(kept, secrets.token_hex(32))
        key = kept.read_bytes().strip()
        if len(key) < _SHORTEST_KEY:
            raise SecretKeyError(
                f"{kept} does not hold a key of at least {_SHORTEST_KEY} characters; restore it "
                "from a backup, or delete it and run `overread readers add` for every reader"
            )
        return key

    def derived_secret(self, purpose: str) -> str:
        """Return the secret for one purpose: 40 hexadecimal characters.

        Parameters
        ----------
        purpose : str
            For example "webhook" or "label-studio-service:R8". The same purpose gives the same
            secret as long as the secret key stays, so none has to be stored.

        Returns
        -------
        str
            HMAC-SHA256 of the purpose under the secret key, cut to 160 bits.
        """
        digest = hmac.new(self._root_secret, purpose.encode(), hashlib.sha256)
        return digest.hexdigest()[:40]

    def as_environment(self) -> dict[str, str]:
        """Return the environment in which another process of this program has these settings.

        Returns
        -------
        dict of str to str
            The present environment with exactly these settings in it, secrets included: for a
            process's environment only, which nobody else can read.
        """
        own = {
            f"OVERREAD_{name.upper()}": value.get_secret_value()
            if isinstance(value, SecretStr)
            else str(value)
            for name, value in self.model_dump().items()
            if value is not None
        }
        inherited = {
            name: value
            for name, value in os.environ.items()  # noqa: TID251 - this is the module that reads it
            if not name.startswith("OVERREAD_")
        }
        return {**inherited, **own}


def _write_once(path: Path, text: str) -> None:
    """Write a private file whole; when two processes do so at once, the first one's stays."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    draft.write_text(text)
    with suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
