"""The server as it runs: a process of its own, real weights, a real store."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from backend import image_links
from backend.demo import sample
from backend.domain.images import Image
from backend.formats.radiographs import read_file
from backend.local_services.processes import free_port
from backend.settings import Settings
from backend.store import schema
from backend.store.unit_of_work import Store
from backend.terminal import now
from backend.workflow.adopt_weights import adopt_weights
from ml_backend.front_door import USER_NAME, password

if find_spec("ultralytics") is None:
    pytest.skip("needs the extra `ml`", allow_module_level=True)

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
FILES = sorted(sample.sample_images().files)[:8]
TORCH = ("torch", "torchvision", "ultralytics")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A store with a few radiographs and a champion that was never served."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("serving"),
        secret_key=SecretStr("s" * 32),
        device="cpu",
        runtime="openvino",
        ml_backend_port=free_port(),
    )
    schema.upgrade(settings.sqlalchemy_url)
    store = Store(settings.sqlalchemy_url)
    with store.transaction() as unit:
        unit.images.add([registered(path) for path in FILES], now=now())
        adopt_weights(unit, sample.WEIGHTS, settings.weights_dir, origin="test", now=now())
    store.close()
    return settings


def registered(path: Path) -> Image:
    file = read_file(path)
    return Image(
        id=path.stem,
        source="test",
        uri=str(path),
        sha256=file.sha256,
        pixel_hash=file.pixel_hash,
        width_px=file.width_px,
        height_px=file.height_px,
        patient_key=path.stem,
    )


@pytest.fixture
def server(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "backend.cli", "serve-ml"],
        cwd=ROOT,
        env=settings.as_environment(),
    )
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def client(settings: Settings) -> Iterator[httpx2.Client]:
    with httpx2.Client(
        base_url=f"http://127.0.0.1:{settings.ml_backend_port}",
        auth=(USER_NAME, password(settings)),
        timeout=60,
        trust_env=False,
    ) as opened:
        yield opened


def health_once_it_serves(client: httpx2.Client) -> dict[str, Any]:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            answer: dict[str, Any] = client.get("/health").json()
        except httpx2.HTTPError:
            answer = {"model_version": "none"}
        if answer["model_version"] != "none":
            return answer
        time.sleep(0.1)
    pytest.fail("no model served within two minutes")


def ask(client: httpx2.Client, settings: Settings, image_ids: Sequence[str]) -> list[Any]:
    links = [
        image_links.sign(
            settings.backend_url,
            image_id,
            expires_at=now() + timedelta(days=1),
            secret=settings.image_link_secret,
        )
        for image_id in image_ids
    ]
    while True:
        answer = client.post(
            "/predict", json={"tasks": [{"id": 1, "data": {"image": link}} for link in links]}
        )
        if answer.status_code != 503:  # else too many wait: it asks to come again
            return answer.json()["results"]  # type: ignore[no-any-return]
        time.sleep(0.1)


class TestServeMl:
    def test_serves_new_weights_without_torch_and_in_little_memory(
        self, settings: Settings, server: subprocess.Popen[bytes], client: httpx2.Client
    ) -> None:
        health = health_once_it_serves(client)
        (result,) = ask(client, settings, [FILES[0].stem])

        assert health["model_version"] == result["model_version"] == "m1"
        assert health["runtime"].startswith("OpenVINO")
        told = Path(f"/proc/{server.pid}")
        if not told.exists():
            pytest.skip("this system does not tell what a process has loaded")
        libraries = (told / "maps").read_text()
        assert "openvino" in libraries
        assert not [name for name in TORCH if f"/{name}/" in libraries]
        (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", (told / "status").read_text())
        assert int(peak) < 1024 * 1024

    @pytest.mark.usefixtures("server")
    def test_says_the_same_to_sixty_four_at_once_as_to_one(
        self, settings: Settings, client: httpx2.Client
    ) -> None:
        health_once_it_serves(client)
        image_ids = [path.stem for path in FILES]
        alone = dict(zip(image_ids, ask(client, settings, image_ids), strict=True))

        def ask_at(first: int) -> list[bool]:
            some = [image_ids[(first + each) % len(image_ids)] for each in range(4)]
            answers = ask(client, settings, some)
            return [answer == alone[of] for answer, of in zip(answers, some, strict=True)]

        with ThreadPoolExecutor(64) as pool:
            agree = [each for answers in pool.map(ask_at, range(64)) for each in answers]

        assert agree == [True] * 256
        assert any(answer["result"] for answer in alone.values())  # else it would prove nothing

    def test_imports_no_torch_to_detect(self, settings: Settings) -> None:
        program = (
            "import sys\n"
            "from backend.opened import open_store\n"
            "from backend.settings import Settings\n"
            "from ml_backend.app import create_app\n"
            "from ml_backend.champion_watch import ChampionWatch\n"
            "from ml_backend.live_model import LiveModel\n"
            "from ml_backend.score_pool import score_pool\n"
            "from backend.terminal import now\n"
            "settings, live = Settings(), LiveModel()\n"
            "store = open_store(settings)\n"
            "ChampionWatch(settings, store, live).look()\n"
            "create_app(settings, live, store=store)\n"
            "print(score_pool(store, live.current(), clock=now).scored)\n"
            f"print(*set({TORCH!r}) & set(sys.modules))\n"
        )

        ran = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=settings.as_environment(),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )

        assert ran.stdout.split() == [str(len(FILES))]
