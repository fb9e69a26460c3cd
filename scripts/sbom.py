"""``make sbom``: the bill of materials, ``var/sbom.json`` in CycloneDX 1.6, of what the lock files and bootstrap name.

Python packages and the front end's are those of the lock files, in exactly these versions, with the hashes of every
file that may be installed; Debian's are those that scripts/bootstrap.sh asks for, in the version that is installed here
(without one where it is not). The scope says what a thing is for: ``required`` to run, ``optional`` for a bucket's
store, ``excluded`` for development, tests and building alone.
"""

import base64
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from scripts.instance import ROOT

_PACKAGE = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)
_SHA256 = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_DEPENDENCY = re.compile(
    r"<dependency>\s*<groupId>(.*?)</groupId>\s*<artifactId>(.*?)</artifactId>\s*<version>(.*?)</version>"
)
_WANTED = re.compile(r"^( +)(?:.*\|\| )?want ([a-z0-9.+-]+) ", re.MULTILINE)
# The first lock that names a package says what it is for.
_LOCKS = (
    ("requirements.txt", ComponentScope.REQUIRED),
    ("requirements-s3.txt", ComponentScope.OPTIONAL),
    ("requirements-dev.txt", ComponentScope.EXCLUDED),
    ("requirements-assets.txt", ComponentScope.EXCLUDED),
)


def bill_of_materials() -> Bom:
    """Each thing once; the project itself depends on all."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bom = Bom()
    bom.metadata.component = root = Component(
        name=project["name"],
        version=project["version"],
        description=project["description"],
        type=ComponentType.APPLICATION,
        bom_ref=project["name"],
    )
    for component in (*python_packages(), *npm_packages(), *maven_packages(), *system_packages()):
        bom.components.add(component)
    bom.register_dependency(root, bom.components)
    return bom


def python_packages() -> Iterator[Component]:
    seen: set[str] = set()
    for lock, scope in _LOCKS:
        for name, version, rest in _PACKAGE.findall((ROOT / lock).read_text(encoding="utf-8")):
            purl = PackageURL("pypi", None, name, version)
            if purl.to_string() in seen:
                continue
            seen.add(purl.to_string())
            hashes = [HashType(alg=HashAlgorithm.SHA_256, content=each) for each in _SHA256.findall(rest)]
            yield _component(purl, scope, hashes)


def npm_packages() -> Iterator[Component]:
    """A package may lie in several places of node_modules; each version is named once."""
    locked = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    found: dict[str, Component] = {}
    for place, package in locked.items():
        if not place:
            continue
        namespace, _, name = place.rpartition("node_modules/")[2].rpartition("/")
        purl = PackageURL("npm", namespace or None, name, package["version"])
        scope = ComponentScope.EXCLUDED if package.get("dev") else ComponentScope.REQUIRED
        algorithm, _, digest = package["integrity"].partition("-")
        hashes = [HashType(alg=HashAlgorithm(algorithm.upper().replace("SHA", "SHA-")), content=_hex(digest))]
        earlier = found.get(purl.to_string())
        if earlier is None or earlier.scope == ComponentScope.EXCLUDED:
            found[purl.to_string()] = _component(purl, scope, hashes)
    yield from found.values()


def maven_packages() -> Iterator[Component]:
    """What the tests ask whether a file is PDF/A."""
    folder = ROOT / "tests" / "support" / "pdfa"
    lines = (folder / "jars.sha256").read_text(encoding="ascii").splitlines()
    hashes = {name: digest for digest, name in map(str.split, lines)}
    for group, name, version in _DEPENDENCY.findall((folder / "pom.xml").read_text(encoding="utf-8")):
        digest = HashType(alg=HashAlgorithm.SHA_256, content=hashes[f"{name}-{version}.jar"])
        yield _component(PackageURL("maven", group, name, version), ComponentScope.EXCLUDED, [digest])


def system_packages() -> Iterator[Component]:
    """Those that bootstrap.sh wants only for tests stand there one level deeper."""
    scopes: dict[str, ComponentScope] = {}
    for indent, name in _WANTED.findall((ROOT / "scripts" / "bootstrap.sh").read_text(encoding="utf-8")):
        scope = ComponentScope.EXCLUDED if len(indent) > len("    ") else ComponentScope.REQUIRED
        scopes.setdefault(name, scope)
    for name, scope in scopes.items():
        yield _component(PackageURL("deb", "debian", name, _installed_version(name)), scope, [])


def _component(purl: PackageURL, scope: ComponentScope, hashes: list[HashType]) -> Component:
    """The hashes are of the files that an installer accepts, one of which it takes."""
    reference = purl.to_string()
    files = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION, url=XsUri(reference), comment="any of the locked files", hashes=hashes
    )
    return Component(
        name=purl.name,
        group=purl.namespace if purl.type in {"npm", "maven"} else None,
        version=purl.version,
        purl=purl,
        bom_ref=reference,
        scope=scope,
        external_references=[files] if hashes else [],
    )


def _installed_version(package: str) -> str | None:
    command = ["dpkg-query", "--show", "--showformat=${Version}", package]
    try:
        return subprocess.run(command, check=False, capture_output=True, text=True).stdout or None
    except FileNotFoundError:  # no Debian
        return None


def _hex(encoded: str) -> str:
    return base64.b64decode(encoded, validate=True).hex()


def main() -> int:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "var" / "sbom.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    bom = bill_of_materials()
    target.write_text(JsonV1Dot6(bom).output_as_string(indent=2) + "\n", encoding="utf-8")
    print(f"{target}: {len(bom.components)} components")
    return 0


if __name__ == "__main__":
    sys.exit(main())
