"""The pages that lead a newcomer name what exists: docs/extending.md its files, docs/glossary.md the code's words."""

import os
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CODE = ("evcharging", "stations", "connectors", "id_tags", "transactions", "meter", "status_notifications")
RECIPES = [
    "An Action that chargers send", "A command", "A signal", "An admin page", "An import", "A charger's quirk",
    "A metric", "A protocol version",
]  # fmt: skip
WORDS = 60


def _text(page: str) -> str:
    return (ROOT / "docs" / page).read_text()


def _steps(recipe: str) -> list[str]:
    """Return the numbered lines of a recipe, each with those it runs over."""
    section = re.search(rf"^## {recipe}\n\n(.*?)(?=\n\n|\Z)", _text("extending.md"), re.MULTILINE | re.DOTALL)
    assert section is not None
    return [" ".join(step.split()) for step in re.split(r"^\d\. ", section[1], flags=re.MULTILINE)[1:]]


@cache
def _names() -> frozenset[str]:
    """Return every word of the code that is a name in it, tests and migrations aside."""
    found: set[str] = set()
    for app in CODE:
        for folder, folders, files in os.walk(ROOT / app):
            folders[:] = [name for name in folders if name not in ("tests", "migrations")]
            for name in files:
                if name.endswith(".py"):
                    found.update(re.findall(r"\w+", Path(folder, name).read_text()))
    return frozenset(found)


def test_recipes_are_those_that_are_needed() -> None:
    assert re.findall(r"^## (.+)$", _text("extending.md"), re.MULTILINE) == RECIPES


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe_names_five_to_eight_files_that_exist(recipe: str) -> None:
    steps = _steps(recipe)
    assert 5 <= len(steps) <= 8
    parts = [re.fullmatch(r"`([\w./-]+)`: (.+)", step) for step in steps]
    assert all(parts), steps
    named = {path for step in steps for path in re.findall(r"[\w-]+(?:/[\w-]+)*\.(?:py|md)\b", step)}
    assert {part[1] for part in parts if part} <= named
    assert [path for path in sorted(named) if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe_names_what_is_in_the_code(recipe: str) -> None:
    tests = "".join(path.read_text() for path in (ROOT / "tests" / "cases").rglob("test_*.py"))
    words = [word for step in _steps(recipe) for word in re.findall(r"`(\w+)(?:\(\))?`", step)]
    assert [word for word in words if word not in _names() and word not in tests] == []


def _entries() -> list[tuple[str, str]]:
    """Return the words of the glossary, each with what is said of it."""
    entries = re.findall(r"^- \*\*(.+?)\*\*(.*?)(?=^- \*\*|\Z)", _text("glossary.md"), re.MULTILINE | re.DOTALL)
    return [(word, " ".join(text.split())) for word, text in entries]


def test_glossary_is_in_order_and_has_a_sentence_for_each_word() -> None:
    words = [word for word, _ in _entries()]
    assert len(words) >= WORDS
    assert words == sorted(words, key=str.casefold)
    assert len(set(words)) == len(words)
    assert [word for word, text in _entries() if not re.fullmatch(r"(\(.+?\))?: [^.].*\.", text)] == []


def test_glossary_names_what_is_in_the_code() -> None:
    named = [(word, name) for word, text in _entries() for name in re.findall(r"`(.+?)`", text)]
    assert len(named) > WORDS / 2
    assert [(word, name) for word, name in named if name not in _names()] == []
