"""What the public headers declare, read from their text."""
import os
import re

COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
PREPROCESSOR = re.compile(r"^\s*#(?:[^\n]*\\\n)*[^\n]*", re.M)
# A declaration of one of our functions: from behind the previous statement to its semicolon.
FUNCTION = re.compile(r"(?:^|(?<=[;}]))([^;{}]*?)\b(flowctl_\w+)\s*\(([^;{}]*)\)\s*;", re.S)


def blank(match):
    """As many newlines as there were, so that line numbers stay."""
    return "\n" * match.group().count("\n")


def headers(include):
    """The public headers, as included: flowctl/rate.h."""
    folder = os.path.join(include, "flowctl")
    found = [os.path.join(where, name) for where, _, names in os.walk(folder) for name in names if name.endswith(".h")]
    return sorted(os.path.relpath(path, include) for path in found)


def functions(text):
    """(name, line, declared with FLOWCTL_API) of each function that a header declares; inline definitions are none."""
    code = PREPROCESSOR.sub(blank, COMMENT.sub(blank, text))
    for match in FUNCTION.finditer(code):
        if "typedef" not in match.group(1):
            yield match.group(2), code.count("\n", 0, match.start(2)) + 1, "FLOWCTL_API" in match.group(1)


# Headers of libraries beside the main one.
APART = {"flowctl/redis.h"}


def exported_functions(include, header=None):
    """Of the main library, or of the one that this header is for."""
    names = set()
    for header in [header] if header else [each for each in headers(include) if each not in APART]:
        with open(os.path.join(include, header), encoding="utf-8") as text:
            names |= {name for name, _, api in functions(text.read()) if api}
    return names
