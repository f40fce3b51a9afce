"""The containers, checked without a Docker engine, and the lists that the documents repeat."""

import copy
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml
from compose_spec import PyCompose
from pydantic_settings import SettingsConfigDict

from backend.label_studio.provision import server_environment
from backend.settings import Settings

ROOT = Path(__file__).parents[2]
ONE_SHOT = {"migrate", "provision"}
PATHS_OF_THE_PROCESS = {"PATH", "PYTHONPATH", "HOME", "LANG", "PYTHONUNBUFFERED"}

Compose: TypeAlias = dict[str, Any]
Stages: TypeAlias = dict[str, list[str]]
Check: TypeAlias = Callable[[Compose], Iterator[str]]


def with_defaults(text: str) -> str:
    """Fill ``${NAME:-default}`` as Docker Compose does in an empty environment."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def read_compose() -> Compose:
    loaded: Compose = yaml.safe_load(with_defaults((ROOT / "docker-compose.yml").read_text()))
    return loaded


def read_stages(dockerfile: str) -> Stages:
    """Split a Dockerfile into its named stages, each a list of whole instructions."""
    without_scripts = re.sub(r"<<'SCRIPT'(.*)\n(?:.*\n)*?SCRIPT\n", r"<<SCRIPT\1\n", dockerfile)
    joined = re.sub(r"\\\n\s*", " ", without_scripts)
    stages: Stages = {}
    for line in joined.splitlines():
        if not line or line.startswith("#"):
            continue
        if opened := re.match(r"FROM \S+ AS (\S+)$", line):
            stages[opened[1]] = []
        stages[list(stages)[-1]].append(line)
    return stages


DOCKERFILE = (ROOT / "Dockerfile").read_text()
STAGES = read_stages(DOCKERFILE)
SCRIPTS = re.findall(r"<<'SCRIPT' \S+\n((?:.*\n)*?)SCRIPT\n", DOCKERFILE)


def user_of(stage: str, stages: Stages) -> str:
    """Return whom a stage runs as; a stage that says nothing runs as the stage it stands on."""
    if stage not in stages:
        return "root"
    users = [line.split()[1] for line in stages[stage] if line.startswith("USER ")]
    return users[-1] if users else user_of(stages[stage][0].split()[1], stages)


def missing_sources(stages: Stages, ignore_file: str) -> list[str]:
    """Name what is copied from the repository and is not there, or never reaches the build."""
    copied = {
        source
        for lines in stages.values()
        for line in lines
        if line.startswith("COPY ") and "--from=" not in line and "<<" not in line
        for source in line.split()[1:-1]
    }
    let_in = {line[1:] for line in ignore_file.splitlines() if line.startswith("!")}
    return sorted(
        source
        for source in copied
        if not let_in & {source, *map(str, Path(source).parents)} or not (ROOT / source).exists()
    )


def dangling_dependencies(compose: Compose) -> Iterator[str]:
    services = compose["services"]
    for name, service in services.items():
        for wanted, how in service.get("depends_on", {}).items():
            if wanted not in services:
                yield f"{name} depends on {wanted}, which does not exist"
            elif how["condition"] == "service_healthy" and "healthcheck" not in services[wanted]:
                yield f"{name} waits for the health of {wanted}, which has no health check"
            elif how["condition"] == "service_completed_successfully" and wanted not in ONE_SHOT:
                yield f"{name} waits for the end of {wanted}, which never ends"


def mismatched(compose: Compose, kind: str, used: set[str]) -> Iterator[str]:
    declared = set(compose[kind])
    yield from (f"{name}: used, not declared in {kind}" for name in used - declared)
    yield from (f"{name}: declared in {kind}, not used" for name in declared - used)


def volume_mismatches(compose: Compose) -> Iterator[str]:
    sources = {
        volume.split(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", [])
    }
    yield from mismatched(compose, "volumes", {name for name in sources if name[0] not in "./"})


def secret_mismatches(compose: Compose) -> Iterator[str]:
    services = compose["services"].values()
    used = {name for service in services for name in service.get("secrets", [])}
    yield from mismatched(compose, "secrets", used)
    for name, secret in compose["secrets"].items():
        if "file" not in secret:
            yield f"secret {name} is not a file; a read-only container takes no other"


def network_mismatches(compose: Compose) -> Iterator[str]:
    services = compose["services"].values()
    yield from mismatched(
        compose, "networks", {name for service in services for name in service["networks"]}
    )


def unknown_settings(compose: Compose) -> Iterator[str]:
    fields = {f"overread_{field}" for field in Settings.model_fields}
    for name, service in compose["services"].items():
        given = [*service.get("environment", {}), *service.get("secrets", [])]
        for setting in given:
            if setting.casefold().startswith("overread_") and setting.casefold() not in fields:
                yield f"{name}: {setting} is not a setting"


def unknown_interpolations(text: str) -> list[str]:
    """Name the variables that the compose file asks the caller for and nobody documents."""
    asked = set(re.findall(r"\$\{(\w+)", text))
    documented = (ROOT / "docs/operations.md").read_text()
    return sorted(name for name in asked if f"`{name}`" not in documented)


def public_ports(compose: Compose) -> Iterator[str]:
    for name, service in compose["services"].items():
        for port in service.get("ports", []):
            if not str(port).startswith("127.0.0.1:"):
                yield f"{name} publishes {port} beyond this machine"


def missing_health_checks(compose: Compose) -> Iterator[str]:
    for name, service in compose["services"].items():
        if name in ONE_SHOT and service["restart"] != "no":
            yield f"{name} is meant to run once and restarts"
        if name not in ONE_SHOT and "healthcheck" not in service:
            yield f"{name} has no health check"


def soft_spots(compose: Compose) -> Iterator[str]:
    for name, service in compose["services"].items():
        if service.get("cap_drop") != ["ALL"]:
            yield f"{name} keeps capabilities"
        if "no-new-privileges:true" not in service.get("security_opt", []):
            yield f"{name} may gain privileges"
        if not service.get("read_only"):
            yield f"{name} may write to its image"
        if service.get("privileged") or service.get("network_mode") == "host":
            yield f"{name} is not contained"


def open_secrets(compose: Compose) -> Iterator[str]:
    telling = re.compile(r"PASSWORD|SECRET|TOKEN|DATABASE_URL")
    harmless = {"LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN"}
    for name, service in compose["services"].items():
        for variable in set(service.get("environment", {})) - harmless:
            if telling.search(variable) and not variable.endswith("_FILE"):
                yield f"{name}: {variable} belongs into a secret file"


def wrong_builds(compose: Compose) -> Iterator[str]:
    for name, service in compose["services"].items():
        build = service.get("build", {})
        target = build.get("target")
        if not (ROOT / build.get("context", "nowhere")).is_dir():
            yield f"{name}: the build context does not exist"
        if target not in STAGES:
            yield f"{name}: Dockerfile has no stage {target}"
        elif not re.fullmatch(r"[1-9]\d*:[1-9]\d*", service.get("user", user_of(target, STAGES))):
            yield f"{name} runs as root, or as a name that the host cannot check"


def missing_gpus(compose: Compose) -> Iterator[str]:
    for name in ("ml_backend", "nightly"):
        reserved = compose["services"][name].get("deploy", {})
        devices = reserved.get("resources", {}).get("reservations", {}).get("devices", [])
        if not any(device["driver"] == "nvidia" for device in devices):
            yield f"{name} reserves no GPU"


def label_studio_differences(compose: Compose) -> Iterator[str]:
    service = compose["services"]["label-studio"]["environment"]
    embedded = server_environment(Path("/var/lib/label-studio"), service["LABEL_STUDIO_HOST"])
    for name in sorted(set(embedded) - PATHS_OF_THE_PROCESS):
        if service.get(name) != embedded[name]:
            yield f"{name} is {service.get(name)!r} here and {embedded[name]!r} on one machine"


def unreachable_addresses(compose: Compose) -> Iterator[str]:
    services = compose["services"]
    aliases = {
        alias
        for service in services.values()
        if isinstance(service["networks"], dict)
        for network in service["networks"].values()
        for alias in (network or {}).get("aliases", [])
    }
    for name, service in services.items():
        for variable, value in service.get("environment", {}).items():
            address = re.match(r"http://([^:/]+):", str(value))
            if address and address[1] not in aliases:
                yield f"{name}: no service answers to {variable}={value}"


CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        dangling_dependencies,
        volume_mismatches,
        secret_mismatches,
        network_mismatches,
        unknown_settings,
        public_ports,
        missing_health_checks,
        soft_spots,
        open_secrets,
        wrong_builds,
        missing_gpus,
        label_studio_differences,
        unreachable_addresses,
    )
}

# Where a fault is planted, what is written there (None removes the key), and who must find it.
PLANTED: list[tuple[str, str, object]] = [
    ("dangling_dependencies", "backend.depends_on.nobody", {"condition": "service_healthy"}),
    ("dangling_dependencies", "backend.depends_on.migrate", {"condition": "service_healthy"}),
    (
        "dangling_dependencies",
        "nightly.depends_on.backend",
        {"condition": "service_completed_successfully"},
    ),
    ("volume_mismatches", "backend.volumes", ["forgotten:/var/lib/overread"]),
    ("volume_mismatches", "postgres.volumes", []),
    ("secret_mismatches", "backend.secrets", ["undeclared"]),
    ("secret_mismatches", "postgres.secrets", []),
    ("network_mismatches", "backend.networks", ["undeclared"]),
    ("unknown_settings", "backend.environment.OVERREAD_COLOUR", "red"),
    ("unknown_settings", "backend.secrets", ["overread_colour"]),
    ("public_ports", "backend.ports", ["8090:8090"]),
    ("public_ports", "backend.ports", ["0.0.0.0:8090:8090"]),
    ("missing_health_checks", "backend.healthcheck", None),
    ("missing_health_checks", "migrate.restart", "always"),
    ("soft_spots", "backend.cap_drop", []),
    ("soft_spots", "backend.security_opt", []),
    ("soft_spots", "backend.read_only", False),
    ("soft_spots", "backend.privileged", True),
    ("open_secrets", "backend.environment.OVERREAD_SECRET_KEY", "open sesame"),
    ("open_secrets", "postgres.environment.POSTGRES_PASSWORD", "open sesame"),
    ("wrong_builds", "backend.build.context", "./elsewhere"),
    ("wrong_builds", "backend.build.target", "no-such-stage"),
    ("wrong_builds", "backend.user", "root"),
    ("wrong_builds", "backend.user", "0:0"),
    ("missing_gpus", "ml_backend.deploy", None),
    ("label_studio_differences", "label-studio.environment.SSRF_PROTECTION_ENABLED", "true"),
    ("label_studio_differences", "label-studio.environment.TASK_LOCK_TTL", None),
    ("label_studio_differences", "label-studio.environment.DJANGO_SETTINGS_MODULE", None),
    ("unreachable_addresses", "nightly.environment.OVERREAD_BACKEND_URL", "http://gone:8090"),
]


def plant(compose: Compose, place: str, value: object) -> None:
    *parents, last = place.split(".")
    found = compose["services"]
    for parent in parents:
        found = found[parent]
    if value is None:
        del found[last]
    else:
        found[last] = value


class TestCompose:
    @pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS.keys())
    def test_has_no_fault_that_a_check_knows(self, check: Check) -> None:
        assert list(check(read_compose())) == []

    @pytest.mark.parametrize(("check", "place", "value"), PLANTED)
    def test_a_planted_fault_is_found(self, check: str, place: str, value: object) -> None:
        compose = copy.deepcopy(read_compose())

        plant(compose, place, value)

        assert list(CHECKS[check](compose))

    def test_follows_the_compose_specification(self) -> None:
        spec = PyCompose.from_yaml(yaml.safe_dump(read_compose()))

        assert set(spec.service_names()) >= {
            "label-studio",
            "postgres",
            "backend",
            "ml_backend",
            "nightly",
        }

    def test_a_key_that_the_specification_does_not_know_is_found(self) -> None:
        compose = read_compose()
        plant(compose, "backend.helthcheck", {"test": "true"})

        with pytest.raises(ValueError, match="helthcheck"):
            PyCompose.from_yaml(yaml.safe_dump(compose))

    def test_asks_for_no_variable_that_is_not_documented(self) -> None:
        text = (ROOT / "docker-compose.yml").read_text()

        assert unknown_interpolations(text) == []
        assert unknown_interpolations("${SURPRISE:-1}") == ["SURPRISE"]

    def test_secrets_reach_the_settings(self, tmp_path: Path) -> None:
        (tmp_path / "overread_secret_key").write_text("s" * 64 + "\n")
        (tmp_path / "overread_database_url").write_text("postgresql://u:p@postgres/overread\n")

        class InContainer(Settings):
            model_config = SettingsConfigDict(secrets_dir=tmp_path)

        settings = InContainer()

        assert settings.sqlalchemy_url == "postgresql://u:p@postgres/overread"
        assert settings.secret_key is not None
        assert settings.secret_key.get_secret_value() == "s" * 64


def lint(dockerfile: Path) -> str:
    hadolint = Path(sys.executable).with_name("hadolint")
    finished = subprocess.run([hadolint, dockerfile], capture_output=True, text=True, check=False)
    return finished.stdout + finished.stderr


class TestDockerfile:
    def test_has_nothing_that_hadolint_minds(self) -> None:
        assert lint(ROOT / "Dockerfile") == ""

    def test_hadolint_finds_a_planted_fault(self, tmp_path: Path) -> None:
        planted = tmp_path / "Dockerfile"
        planted.write_text(re.sub(r"USER 10001:10001", "USER root", DOCKERFILE))

        assert "DL3002" in lint(planted)

    def test_copies_only_what_exists_and_is_let_in(self) -> None:
        ignore_file = (ROOT / ".dockerignore").read_text()

        assert missing_sources(STAGES, ignore_file) == []
        assert missing_sources({"a": ["COPY backend gone ./"]}, "!gone\n!backend") == ["gone"]
        assert missing_sources({"a": ["COPY backend ./"]}, "*") == ["backend"]

    def test_pins_every_image_by_a_version(self) -> None:
        outside = [
            lines[0].split()[1] for lines in STAGES.values() if lines[0].split()[1] not in STAGES
        ]

        assert outside
        assert all(re.search(r":\d+\.\d+", image) for image in outside)

    def test_keeps_torch_out_of_the_backend(self) -> None:
        installs = [line for line in STAGES["dependencies"] if "pip install" in line]

        assert len(installs) == 1
        assert "--extra" not in installs[0]
        assert STAGES["backend-environment"][0] == "FROM dependencies AS backend-environment"

    @pytest.mark.parametrize("stage", ["label-studio", "backend", "ml-backend"])
    def test_listens_where_compose_expects_it(self, stage: str) -> None:
        service = read_compose()["services"][stage.replace("ml-backend", "ml_backend")]
        exposed = [line.split()[1] for line in STAGES[stage] if line.startswith("EXPOSE")]

        assert exposed
        assert f"127.0.0.1:{exposed[0]}/health" in service["healthcheck"]["test"][-1]

    @pytest.mark.parametrize("script", SCRIPTS)
    def test_its_scripts_are_sound_shell(self, script: str) -> None:
        subprocess.run(["/bin/bash", "-n"], input=script, text=True, check=True)

        assert "set -eu" in script


def documented_settings() -> dict[str, str]:
    text = (ROOT / "docs/operations.md").read_text()
    return dict(re.findall(r"^\| `OVERREAD_(\w+)` \| ([^|]*?) \|", text, re.MULTILINE))


class TestDocuments:
    def test_list_every_setting_with_its_default(self) -> None:
        expected = {
            name.upper(): "unset" if field.default is None else f"`{field.default}`"
            for name, field in Settings.model_fields.items()
        }

        assert documented_settings() == expected

    def test_say_what_every_dependency_is_for(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        extras = [line for lines in project["optional-dependencies"].values() for line in lines]
        wanted = {re.split(r"[\[<>=]", line)[0] for line in [*project["dependencies"], *extras]}
        text = (ROOT / "docs/dependencies.md").read_text()

        assert set(re.findall(r"^\| `([\w.-]+)` \|", text, re.MULTILINE)) == wanted
