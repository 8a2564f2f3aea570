"""What a command line that cannot be was probably meant to be, in a few words for the end of a message.

Everything here looks at words alone, and at whether a file of such a name is there.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Collection, Sequence
from difflib import get_close_matches

from grainkit.arguments import is_url

#: Endings of files that people finish or want to get, beside those of the stills that are read.
_ENDINGS = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".nut", ".y4m", ".avi", ".gif", ".heic", ".avif", ".bmp",
)  # fmt: skip


def for_command(arguments: Sequence[str], commands: Collection[str]) -> str:
    """What is meant where the first word is no command: '; did you mean ...?', or ''."""
    words = [word for word in arguments if not word.startswith("-")]
    near = get_close_matches(words[0].lower(), list(commands), n=1) if words else []
    if near and not _is_file(words[0]):
        return f"; did you mean {near[0]}?"
    if any(_is_file(word) for word in words):
        return f"; did you mean: {_line(_with_output(['grainkit', 'finish', *arguments]))} ?"
    return "; did you mean --help?" if words and words[0].lower() in ("help", "usage", "h") else ""


def for_option(word: str, flags: Collection[str], keys: Callable[[str], Sequence[str]] = lambda _: ()) -> str:
    """What an option that is not known was meant to be: another one, the name of a file, or a parameter.

    keys: full keys of parameters that a word may stand for.
    """
    name = word.partition("=")[0]
    if name == "-v" and "--version" in flags:
        return "; did you mean --version?"
    if name not in flags and (os.path.lexists(word) or _names_picture(name)):
        return f"; for a file whose name begins with a dash write ./{word}"
    if not name.startswith("--") and f"-{name}" in flags:
        return f"; did you mean -{name}?"
    near = get_close_matches(name.lower(), list(flags), n=1)
    meant = [key for key in keys(name.lstrip("-")) if key.rpartition(".")[2] == name.lstrip("-").replace("-", "_")]
    if meant and "--set" in flags:
        return f"; did you mean --set {meant[0]}=VALUE?"
    return f"; did you mean {near[0]}?" if near else ""


def dashed(arguments: Sequence[str], flags: Collection[str]) -> str | None:
    """The first word with one dash that is a file's name or lacks a dash (-preset), before `--`; None for none.

    Read as they stand, -preset would be an option of its own and -overwrite an output called verwrite.
    """
    for word in arguments:
        if word == "--":
            return None
        name = word.partition("=")[0]
        if word.startswith("-") and not word.startswith("--") and len(word) > 2 and word not in flags:
            if f"-{name}" in flags or os.path.lexists(word):
                return word
            # -oNAME is an output all the same.
            if _names_picture(name) and word[:2] not in flags:
                return word
    return None


def stray_input(
    inputs: Sequence[str], output: str | None, presets: Collection[str], keys: Callable[[str], Sequence[str]]
) -> str | None:
    """What is wrong where one input is no file but an output, a preset or a setting; None for nothing."""
    missing = [one for one in inputs if not is_url(one) and one != "-" and "%" not in one and not os.path.lexists(one)]
    for one in missing:
        rest = _line([each for each in inputs if each != one] or ["INPUT"])
        if one in presets:
            return f"{one}: no such file; it is a preset's name, did you mean: grainkit finish {rest} --preset {one} ?"
        if re.fullmatch(r"[a-z_]+(\.[a-z_]+)*=.*", one):
            key, _, value = one.partition("=")
            whole = f"{(keys(key) or [key])[0]}={value}"
            return f"{one}: no such file; did you mean: grainkit finish {rest} --set {_line([whole])} ?"
    last = inputs[-1]
    if output is None and len(inputs) > 1 and missing == [last] and _is_output(last):
        rest = _line(inputs[:-1])
        return f"{last}: no such file; to write it, did you mean: grainkit finish {rest} -o {_line([last])} ?"
    return None


def for_word(word: str, words: Sequence[str]) -> str:
    """What a word behind all options may be, that argparse cannot place. words: the whole line."""
    at = words.index(word) if word in words else 0
    if at > 1 and words[at - 2] == "--set" and "=" not in words[at - 1]:
        return f"; did you mean --set {words[at - 1]}={word}?"
    return "; inputs stand side by side, in front of the options or behind them, and an output behind -o"


def _with_output(arguments: Sequence[str]) -> list[str]:
    """The line, with -o in front of a file to be that stands behind one that is there."""
    for at in range(1, len(arguments)):
        before, word = arguments[at - 1 : at + 1]
        if os.path.exists(before) and not os.path.exists(word) and _is_output(word) and "-o" not in arguments:
            return [*arguments[:at], "-o", *arguments[at:]]
    return list(arguments)


def _is_file(word: str) -> bool:
    return os.path.exists(word) or bool(os.path.splitext(word)[1]) or is_url(word)


def _is_output(word: str) -> bool:
    return word.endswith(("/", os.sep)) or _names_picture(word)


def _line(words: Sequence[str]) -> str:
    return shlex.join(words)


def _names_picture(word: str) -> bool:
    """Whether it ends as a file of a still or a clip does. The formats are loaded only now: they need numpy."""
    from grainkit.io.still_formats import still_endings

    return word.lower().endswith((*_ENDINGS, *still_endings()))
