"""No role names another by a string, a relation, a migration, a task, a template or an address."""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps

from tests.architecture.sources import ROLES, ROOT, modules, strings

_NAMES = "|".join(ROLES)
# A dotted path, model or task; an address's name; a template.
_NAMES_A_ROLE = re.compile(rf"({_NAMES})(?:\.[A-Za-z_][\w.]*|:[a-z_-]+|/[\w/-]+\.html)")
_SHARED_TEMPLATES = ("components/", "frames/", "mail/", "base.html", "problem.html")


@pytest.mark.parametrize("role", ROLES)
def test_no_string_names_a_part_of_another_role(role: str) -> None:
    foreign = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in modules(role)
        for text, line in strings(path)
        if (found := _NAMES_A_ROLE.fullmatch(text)) and found[1] != role
    ]
    assert foreign == []


@pytest.mark.parametrize("role", ROLES)
def test_no_relation_leaves_a_role(role: str) -> None:
    for model in apps.get_app_config(role).get_models():
        for field in model._meta.get_fields():
            if field.is_relation and field.related_model is not None:
                target = field.related_model._meta.app_label  # type: ignore[union-attr]
                assert target not in set(ROLES) - {role}, f"{model.__name__}.{field.name} points at {target}"
                assert role == "authz" or target == role, f"{model.__name__}.{field.name} points at {target}"


@pytest.mark.parametrize("role", ROLES)
def test_no_migration_depends_on_another_role(role: str) -> None:
    for path in modules(f"{role}/migrations"):
        if path.stem.startswith("_"):
            continue
        migration = import_module(f"{role}.migrations.{path.stem}").Migration
        needed = {dependency[0] for dependency in [*migration.dependencies, *migration.run_before]}
        allowed = {role} | ({"auth", "contenttypes", "oauth2_provider"} if role == "authz" else set())
        assert needed <= allowed, path.name


@pytest.mark.parametrize("role", ROLES)
def test_a_role_s_tasks_bear_its_name(role: str) -> None:
    for path in modules(role):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("shared_task"):
                names = [ast.literal_eval(word.value) for word in node.keywords if word.arg == "name"]
                assert names, f"{path}:{node.lineno}: a task without a name of its own"
                assert names[0].startswith(f"{role}."), names


@pytest.mark.parametrize("role", ROLES)
def test_a_role_s_addresses_have_its_namespace(role: str) -> None:
    assert import_module(f"{role}.urls").app_name == role


@pytest.mark.parametrize("role", ROLES)
def test_a_role_renders_its_own_templates_alone(role: str) -> None:
    for path in modules(role):
        for text, line in strings(path):
            if re.fullmatch(r"[\w./-]+\.html", text) and not text.startswith(("admin/", "registration/")):
                assert text.startswith((f"{role}/", *_SHARED_TEMPLATES)), f"{path}:{line}: {text}"
                assert (ROOT / "templates" / text).is_file(), f"{path}:{line}: {text} does not exist"


def _templates() -> list[Path]:
    return sorted((ROOT / "templates").rglob("*.html"))


@pytest.mark.parametrize("path", _templates(), ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_a_template_names_its_own_role_and_what_all_share(path: Path) -> None:
    folder = path.relative_to(ROOT / "templates").parts[0]
    text = path.read_text(encoding="utf-8")
    owner = folder if folder in ROLES else None
    for name in re.findall(r"{%\s*url\s+['\"](?!admin:)([^'\"]+)", text):
        assert owner is not None, f"a shared template names the address {name}"
        assert name.startswith(f"{owner}:"), name
    mine = (f"{folder}/", *_SHARED_TEMPLATES)
    for name in re.findall(r"{%\s*(?:include|extends)\s+['\"](?!admin/)([^'\"]+)", text):
        assert name.startswith(mine), name
        assert (ROOT / "templates" / name).is_file(), name
