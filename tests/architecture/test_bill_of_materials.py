"""The bill of materials names what is locked, once and all of it, in the form that CycloneDX's schema asks for."""

import json
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from pip_requirements_parser import RequirementsFile

from scripts import sbom
from scripts.assets import npm
from tests.architecture.sources import ROOT


@pytest.fixture(scope="module")
def text() -> str:
    return sbom.JsonV1Dot6(sbom.bill_of_materials()).output_as_string()


@pytest.fixture(scope="module")
def components(text: str) -> list[dict[str, Any]]:
    return json.loads(text)["components"]


def test_i8_it_is_of_the_form_of_the_schema(text: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


@pytest.mark.parametrize(
    ("lock", "scopes"),
    [
        ("requirements.txt", {"required"}),
        ("requirements-s3.txt", {"required", "optional"}),
        ("requirements-dev.txt", {"required", "optional", "excluded"}),
        ("requirements-assets.txt", {"excluded"}),
    ],
)
def test_i8_every_locked_python_package_is_in_it_with_its_hashes(
    components: list[dict[str, Any]], lock: str, scopes: set[str]
) -> None:
    """pip's own reader of such files says what they hold."""
    found = {(each["name"], each["version"]): each for each in components if each["purl"].startswith("pkg:pypi/")}
    locked = RequirementsFile.from_file(str(ROOT / lock)).requirements
    assert locked
    for requirement in locked:
        component = found[requirement.name, requirement.get_pinned_version]
        (files,) = component["externalReferences"]
        hashes = {each.partition(":")[2] for each in requirement.hash_options}
        assert {each["content"] for each in files["hashes"]} == hashes
        assert component["scope"] in scopes


def test_i8_it_names_what_is_installed_here(components: list[dict[str, Any]]) -> None:
    versions = {each["name"]: each["version"] for each in components if each["purl"].startswith("pkg:pypi/")}
    for name in ("django", "cryptography", "pyhanko", "python-pkcs11"):
        assert versions[name] == version(name)


def test_i8_npm_itself_counts_the_same_front_end_packages(components: list[dict[str, Any]], tmp_path: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(ROOT / name, tmp_path)
    # npm refuses to name a project without a version.
    package = json.loads((tmp_path / "package.json").read_text(encoding="utf-8"))
    (tmp_path / "package.json").write_text(json.dumps({**package, "version": "1.0.0"}), encoding="utf-8")
    command = [npm(), "sbom", "--sbom-format=cyclonedx", "--package-lock-only"]
    told = json.loads(subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout)
    ours = {each["purl"] for each in components if each["purl"].startswith("pkg:npm/")}
    assert ours == {each["purl"] for each in told["components"]}


def test_i8_every_jar_that_bootstrap_lays_down_is_in_it_with_its_hash(components: list[dict[str, Any]]) -> None:
    listed = (ROOT / "tests" / "support" / "pdfa" / "jars.sha256").read_text(encoding="ascii").split()
    found = {}
    for each in components:
        if each["purl"].startswith("pkg:maven/"):
            (files,) = each["externalReferences"]
            found[f"{each['name']}-{each['version']}.jar"] = files["hashes"][0]["content"]
    assert found == dict(zip(listed[1::2], listed[::2], strict=True))


def test_i8_what_bootstrap_installs_is_in_it(components: list[dict[str, Any]]) -> None:
    scopes = {each["name"]: each["scope"] for each in components if each["purl"].startswith("pkg:deb/")}
    assert scopes.keys() >= {"softhsm2", "python3", "gettext", "postgresql", "redis-server", "qpdf", "chromium"}
    assert (scopes["softhsm2"], scopes["postgresql"]) == ("required", "excluded")
