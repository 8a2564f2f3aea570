"""Command lines that cannot be, as people write them: one line each, with what was meant or what to do."""

import shlex
from pathlib import Path

import pytest

from grainkit.hosts.cli import command as cli
from grainkit.hosts.cli import suggest
from tests.drawn import clip, numbered, still


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with a still, a clip, a sequence, a file whose name begins with a dash, and what is no picture."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    still(Path("in.png"))
    still(Path("other.png"))
    still(Path("-dash.png"))
    clip(Path("c.nut"))
    numbered(Path("s"), 3)
    Path("empty").mkdir()
    (tmp_path / "home").mkdir()
    still(tmp_path / "home" / "x.png")
    Path("bad.yaml").write_text("grainkit: 1\nfoo: 2\n")
    Path("circle.yaml").write_text("grainkit: 1\nextends: circle.yaml\n")
    return tmp_path


def names(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


#: A command line, and what its message holds.
LINES = [
    # No command, another command.
    ("in.png out.jpg", "did you mean: grainkit finish in.png -o out.jpg ?"),
    ("in.png out.jpg --preset social/reel --seed 3", "finish in.png -o out.jpg --preset social/reel --seed 3 ?"),
    ("in.png", "did you mean: grainkit finish in.png ?"),
    ("'my picture.png'", "grainkit finish 'my picture.png' ?"),
    ("https://example.com/a", "grainkit finish https://example.com/a ?"),
    ("--preset social in.png", "did you mean: grainkit finish --preset social in.png ?"),
    ("finis in.png", "invalid choice: 'finis' is no command (there are finish, "),
    ("finis in.png", "; did you mean finish?"),
    ("preset", "; did you mean presets?"),
    ("help", "; did you mean --help?"),
    ("--verison", "; did you mean --version?"),
    ("-v", "; did you mean --version?"),
    # What is no input.
    ("finish in.png out.jpg", "out.jpg: no such file; to write it, did you mean: grainkit finish in.png -o out.jpg ?"),
    ("finish in.png other.png new/", "did you mean: grainkit finish in.png other.png -o new/ ?"),
    ("finish in.png social/reel", "preset's name, did you mean: grainkit finish in.png --preset social/reel ?"),
    ("finish social/reel in.png", "did you mean: grainkit finish in.png --preset social/reel ?"),
    ("finish social", "did you mean: grainkit finish INPUT --preset social ?"),
    ("finish in.png quality=90", "did you mean: grainkit finish in.png --set delivery.still.quality=90 ?"),
    ("finish in.png cinema_grain.size=2", "did you mean: grainkit finish in.png --set cinema_grain.size=2 ?"),
    ("finish in.png --seed 3 out.jpg", "an output behind -o"),
    ("finish in.png --set cinema_grain.strength 2", "did you mean --set cinema_grain.strength=2?"),
    ("finish In.png", "In.png: no such file; did you mean in.png?"),
    ("finish in.jpg", "in.jpg: no such file; did you mean in.png?"),
    ("finish nowhere/in.png", "there is no folder nowhere"),
    ("finish empty", "the folder holds no stills"),
    ("finish ''", "input is empty; give the name of a file"),
    ("finish -dash.png", "for a file whose name begins with a dash write ./-dash.png"),
    ("finish in.png -o -new.png", "write ./-new.png"),
    ("finish https://example.com/in.png", ": is an address, and grainkit reads files; download it first"),
    ("finish s3://bucket/in.mp4 -o o.mp4", "s3://bucket/in.mp4: is an address"),
    ("finish file:///home/me/in%20b.png", "is the address of a file; give its path, /home/me/in b.png"),
    ("finish in.png --recipe https://example.com/a.yaml", "is an address"),
    ("finish in.png --matte https://example.com/a.png", "is an address"),
    ("finish in.png --grain-like https://example.com/a.png", "is an address"),
    ("finish 's/g_%04d.png'", "no file has such a name; a pattern is like f_%05d.png"),
    ("finish 's/f_%s.png'", "write the number as in f_%05d.png"),
    ("finish c.nut --frames 90:", "c.nut has 6 frames, numbered from 0"),
    # Options.
    ("finish in.png --prest social", "unrecognized arguments: --prest social; did you mean --preset?"),
    ("finish in.png --presets social", "did you mean --preset?"),
    ("finish in.png -preset social", "unrecognized arguments: -preset; did you mean --preset?"),
    ("finish in.png -preset=social", "did you mean --preset?"),
    ("finish in.png -overwrite", "unrecognized arguments: -overwrite; did you mean --overwrite?"),
    ("finish in.png -output o.png", "did you mean --output?"),
    ("finish in.png --quality 90", "did you mean --set delivery.still.quality=VALUE?"),
    ("finish in.png --fit=cover", "did you mean --set delivery.fit=VALUE?"),
    ("finish in.png --preset", "--preset needs a value behind it: --preset NAME"),
    ("finish in.png -o", "-o/--output needs a value behind it: --output OUTPUT"),
    ("finish in.png --set", "--set needs a value behind it: --set EFFECT.PARAM=VALUE"),
    ("finish in.png --seed=abc", "'abc' is not a whole number from 0 to 4294967295"),
    ("finish in.png --seed 1.5", "'1.5' is not a whole number from 0"),
    ("finish in.png --frames 0-10", "such as 10:20, :48 or 100:"),
    ("finish s --rate 25fps", "'25fps' is not a frame rate, such as 25, 23.976 or 30000/1001"),
    ("finish in.png --max-pixels 1G", "'1G' is not a number of pixels above 0, such as 500M"),
    ("finish in.png --device-memory 2GB", "not a whole number of MiB above 0, such as 4096"),
    ("finish in.png --workers many", "'many' is not a whole number above 0"),
    ("finish in.png --backend gpu", "no backend 'gpu'; did you mean cuda?"),
    ("finish in.png --source FLUX", "no source 'FLUX'; did you mean flux?"),
    ("finish in.png --hwaccel cuda", "--hwaccel decodes clips, and in.png is a still; leave it out"),
    ("finish c.nut --resume -o -", "--resume goes on with files"),
    ("finish in.png --json -o -", "--json and -o - both want standard output"),
    ("finish in.png --adapt --preset print", "leave --adapt out, or use a social preset"),
    # Presets and recipes.
    ("finish in.png --preset socal", "no preset 'socal'; did you mean social?"),
    ("finish in.png --preset reel", "did you mean social/reel?"),
    ("finish in.png --preset Instagram", "did you mean social/instagram-feed?"),
    ("finish in.png --preset Social/Reel", "did you mean social/reel?"),
    ("finish in.png --preset a4", "did you mean print/a4?"),
    ("finish in.png --preset social/youtube", "delivers clips only; choose a still preset"),
    ("finish c.nut --preset print/a4", "delivers stills only, but c.nut is a clip; choose a clip preset"),
    ("finish in.png --preset social --recipe bad.yaml", "give a preset or a recipe, not both"),
    ("finish in.png --recipe bad.yaml", "bad.yaml has no key 'foo'; it has: "),
    ("finish in.png --recipe circle.yaml", "take one `extends` out"),
    ("finish in.png --recipe none.yaml", "no recipe file none.yaml; check the path"),
    ("finish in.png --matte c.nut", "c.nut: is a clip; in.png is a still and takes one still"),
    # Values.
    ("finish in.png --set quality=90", "--set quality: no key 'quality'; did you mean delivery.still.quality?"),
    ("finish in.png --set grain.strength", "write it as KEY=VALUE, such as cinema_grain.strength=2"),
    ("finish in.png --set grain.strength=1", "did you mean cinema_grain.strength?"),
    ("finish in.png --set strength=1", "mean skin_texture.strength or highlight_guard.strength or cinema_grain.st"),
    ("finish in.png --set cinema_grain.strength:2", "such as cinema_grain.strength=2"),
    ("finish in.png --set cinema_grain=2", "set one of them, such as cinema_grain.strength=2"),
    ("finish in.png --set cinema_grain.strength=1,5", "allowed: 0 to 24 codes of 255; did you mean 1.5?"),
    ("finish in.png --set cinema_grain.strength=strong", "'strong' is not a number; allowed: 0 to 24 codes of 255"),
    ("finish in.png --set cinema_grain.strength=30", "cinema_grain.strength = 30 is outside 0 to 24 codes of 255"),
    ("finish in.png --set cinema_grain.regrain=yes", "it is true or false; did you mean true?"),
    ("finish in.png --set delivery.upscale=0", "it is true or false; did you mean false?"),
    ("finish in.png --set delivery.still.depth=16", "not allowed for jpeg; it is 8 bits (png and tiff can hold 16)"),
    ("finish in.png --set delivery.still.container=jpg", "did you mean jpeg?"),
    ("finish in.png --set cinema_grain.size_mm=1", "cinema_grain.size_mm needs delivery.dpi; set it"),
    ("finish in.png --dry-run --set cinema_grain.size_mm=1", "cinema_grain.size_mm needs delivery.dpi; set it"),
    ("finish in.png --set highlight_guard.knee=0.99", "ceiling = 0.9804 must be above highlight_guard.knee = 0.99"),
    ("finish in.png other.png -o new/ --set cinema_grain.strengh=2", "has no key 'strengh'; did you mean strength?"),
    ("finish c.nut -o o.mp4 --set delivery.clip.codec=x264", "delivery.clip.codec 'x264' is not an encoder"),
    ("finish c.nut -o o.mp4 --set delivery.clip.pixel_format=yuv", "use for example yuv420p"),
    # Outputs.
    ("finish in.png -o ''", "output is empty; give the name of a file"),
    ("finish in.png -o in.png", "it is the input, which is never overwritten; choose another name with -o"),
    ("finish in.png -o out", "write out.png, or out/ for a folder"),
    ("finish in.png -o out.gif", "'.gif' is not a format grainkit writes (it writes .png,"),
    ("finish in.png -o out.jgp", "did you mean .jpg?"),
    ("finish in.png -o out.mp4", "a still does not become a clip"),
    ("finish c.nut -o out.png", "give a pattern such as out_%05d.png"),
    ("finish in.png -o nowhere/out.png", "create it or choose another with -o"),
    ("finish in.png -o https://example.com/o.png", "grainkit writes files; write a file, and upload that"),
    ("finish in.png other.png -o out.png", "name a folder, such as -o out/"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "said"), LINES, ids=[f"{at}: {line}" for at, (line, _) in enumerate(LINES)])
def test_what_cannot_be_is_one_line_with_the_remedy(folder, capsys, line, said):
    before = names(folder)
    status = cli.main(shlex.split(line))
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert err.startswith("grainkit: ")
    assert err.count("\n") == 1
    assert said in err
    assert names(folder) == before


def test_a_near_ending_does_not_stand_for_another(capsys):
    cli.main(["finish", "in.png", "-o", "out.gif"])
    assert "did you mean" not in capsys.readouterr().err


def test_an_encoder_that_refuses_its_options_says_where_to_look(capsys):
    assert cli.main(["finish", "c.nut", "-o", "o.mp4", "--quiet", "--set", "delivery.clip.options.crf=high"]) == 2
    assert "change delivery.clip.options.crf = high" in capsys.readouterr().err


# What begins with a dash, and homes


def test_a_name_behind_two_dashes_is_taken_as_it_is(folder, capsys):
    assert cli.main(["finish", "--quiet", "--no-adapt", "--", "-dash.png"]) == 0
    assert cli.main(["finish", "--quiet", "--no-adapt", "./-dash.png", "-o./-other.jpg"]) == 0
    assert {"-dash.social.jpg", "-other.jpg"} <= set(names(folder))
    told = Path("-other.jpg.grainkit.txt").read_text()
    line = next(line for line in told.splitlines() if "To make it again: " in line)
    again = shlex.split(line.split("grainkit ", 1)[1])
    assert again[:4] == ["finish", "./-dash.png", "--recipe", "./-other.jpg.grainkit.txt"]
    assert cli.main([*again, "--quiet", "-o", "again.jpg"]) == 0
    assert Path("again.jpg").read_bytes() == Path("-other.jpg").read_bytes()


@pytest.mark.parametrize("option", ["input", "-o", "--recipe", "--matte", "--grain-like"])
def test_a_quoted_home_is_the_home(folder, capsys, option):
    """Shells leave ~ alone in quotes and behind a =."""
    home = folder / "home"
    (home / "mine.yaml").write_text("grainkit: 1\nextends: social\n")
    given = {
        "input": ["~/x.png", "-o", "o.png"], "-o": ["in.png", "-o", "~/o.png"],
        "--recipe": ["in.png", "-o", "o.png", "--recipe=~/mine.yaml"],
        "--matte": ["in.png", "-o", "o.png", "--matte=~/x.png"],
        "--grain-like": ["in.png", "-o", "o.png", "--grain-like=~/gone.png"],
    }[option]  # fmt: skip
    status = cli.main(["finish", *given, "--quiet", "--no-adapt"])
    err = capsys.readouterr().err
    if option == "--grain-like":
        assert f"{home}/gone.png: no such file" in err
    elif option == "--matte":
        assert f"{home}/x.png: is in colour" in err
    else:
        assert (status, err) == (0, "")
        assert (home / "o.png" if option == "-o" else folder / "o.png").exists()


def test_a_file_that_is_called_like_a_home_is_meant(folder, capsys):
    Path("~").mkdir()
    still(Path("~/x.png"), phase=0.5)
    assert cli.main(["finish", "~/x.png", "--quiet", "--no-adapt"]) == 0
    assert (folder / "~" / "x.social.jpg").exists()


# The words alone


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("--preste", "; did you mean --preset?"), ("--zzzzz", ""), ("-new.PNG", "; for a file whose name begins"),
        ("-o=x", ""), ("-seed", "; did you mean --seed?"),
    ],
)  # fmt: skip
def test_options(word, said):
    assert suggest.for_option(word, ["-o", "--preset", "--seed"]).startswith(said)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("-preset x", "-preset"), ("in.png -o -x.png", "-x.png"), ("-o x -- -preset", None), ("-oout.png", None),
        ("--preset x", None), ("-5", None), ("-seed=3", "-seed=3"), ("-o-x.png", None),
    ],
)  # fmt: skip
def test_words_with_one_dash(line, found):
    assert suggest.dashed(line.split(), ["-o", "--preset", "--seed"]) == found


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("https://a", True), ("s3://b/c", True), ("file:///a", True), ("C:\\a.png", False), ("C:/a.png", False),
        ("a://b", False), ("in.png", False), ("//server/a.png", False),
    ],
)  # fmt: skip
def test_addresses(text, is_one):
    assert suggest.is_url(text) == is_one
