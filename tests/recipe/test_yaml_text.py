"""What YAML of a recipe may hold: any text, no trick, and a slip is named with its line."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from grainkit.errors import RecipeError
from grainkit.recipe.presets import load_recipe, parse_recipe
from grainkit.recipe.recipe import Recipe, to_yaml


@pytest.mark.parametrize(
    "text", ["\x85", "\u2028", "a\nb", " a ", "4:2:0", "1e5", "no", "2026-11-01", "0x10", "~", "\x00", "é😀"]
)
def test_awkward_text_stays_text(text):
    wanted = Recipe(name="x", description=text, source=(text,))
    assert parse_recipe(to_yaml(wanted)) == wanted
    assert yaml.safe_load(to_yaml(wanted))["description"] == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is empty; a recipe begins with 'grainkit: 1'"),
        (b"- a\n", "is a list, not a mapping"),
        (b"social\n", "is a str, not a mapping"),
        (b"name: x\n", "does not say its version"),
        (b"grainkit: 2\n", "is of version 2; this grainkit reads 'grainkit: 1'"),
        (b"grainkit: true\n", "is of version True"),
        (b"grainkit: 1\nseed: 1\nseed: 2\n", ", line 3: the key 'seed' is there twice"),
        (b"grainkit: 1\neffects: &a {}\nclip: *a\n", ", line 2: anchors and aliases"),
        (b"grainkit: 1\nseed: !!python/name:os.system x\n", ", line 2: tags (!)"),
        (b"grainkit: 1\nsource:\n\t- x\n", ", line 3: found character '\\t'"),
        (b"grainkit: 1\n1: x\n", ", line 2: a key must be text"),
        (b"grainkit: 1\nname: \xff\n", ", line 2: not UTF-8 text"),
        (b"grainkit: 1\nname: \x00\n", ", line 2: a character that text does not hold (#x0)"),
        (b"grainkit: 1\n---\ngrainkit: 1\n", ", line 2: but found another document"),
        (b"grainkit: 1\nsource: " + b"[" * 100 + b"]" * 100, ", line 2: nested deeper than 16 levels"),
        (b"grainkit: 1\nsource: [" + b"a," * 20_001 + b"]", ", line 2: more than 20000 values"),
        (b"grainkit: 1\nseed: " + b"9" * 9999, "... (10001 characters) is not a number"),
        (b"grainkit: 1\nsource: [\n", ", line 3: "),
        (b"#" * 2**20 + b"\n", "is larger than 1048576 bytes"),
        ("\ufeffgrainkit: 1\nseed: -1\n".encode(), ": seed = -1 is outside"),
    ],
)
def test_a_broken_file_is_one_line_with_a_place(tmp_path, text, message):
    path = tmp_path / "my.yaml"
    path.write_bytes(text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    said = str(caught.value)
    assert said.startswith(str(path))
    assert message in said
    assert "\n" not in said


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.binary(max_size=60))
def test_no_text_breaks_the_reader(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(b"grainkit: 1\n" + (text if isinstance(text, bytes) else text.encode()))
    try:
        found = load_recipe(path)
    except RecipeError as error:
        assert "\n" not in str(error)  # noqa: PT017 (most texts are refused, a few are recipes)
    else:
        assert parse_recipe(to_yaml(found)) == found
