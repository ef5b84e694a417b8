"""Page of the command line, from the typer application."""

from typing import Any, Literal, get_args, get_origin

from markup import code, table
from typer.main import get_command

from pumice.cli.app import app


def pages() -> dict[str, str]:
    """The page, by file name."""
    group: Any = get_command(app)
    parts = [
        "# Command line",
        "`pumice VERB [OPTIONS]`. Every verb calls functions of the Python API. Results go to "
        "standard output, progress and errors to standard error; `--json` prints one JSON "
        "document.",
        table(
            ("exit code", "meaning"),
            (
                (0, "success"),
                (1, "a check failed: an engine differs, a layer is unsupported"),
                (2, "usage or input error, after one line on standard error"),
                (130, "interrupted"),
            ),
        ),
    ]
    for name, verb in group.commands.items():
        if not verb.hidden:
            parts += _describe_verb(name, verb)
    return {"cli.md": "\n\n".join(parts) + "\n"}


def _describe_verb(name: str, verb: Any) -> list[str]:
    arguments = [each for each in verb.params if each.param_type_name == "argument"]
    options = [each for each in verb.params if each.param_type_name == "option"]
    usage = " ".join(
        [
            "pumice",
            name,
            *(f"[{_metavar(a)}]" if not a.required else _metavar(a) for a in arguments),
        ]
    )
    parts = [f"## pumice {name}", _plain(verb.help), f"```text\n{usage} [OPTIONS]\n```"]
    rows = [(code(_metavar(each)), _plain(each.help or ""), "") for each in arguments]
    rows += [
        (code(", ".join(each.opts)) + _value(each), _plain(each.help or ""), _default(each))
        for each in options
        if not each.hidden and "--help" not in each.opts
    ]
    if rows:
        parts.append(table(("argument or option", "meaning", "default"), rows))
    return parts


def _plain(text: str) -> str:
    return text.replace("<", "\\<").replace("*", "\\*").strip()


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _value(option: Any) -> str:
    if option.is_flag:
        return ""
    annotation = option.type_descriptor.annotation
    if get_origin(annotation) is Literal:
        return " " + " or ".join(code(choice) for choice in get_args(annotation))
    bounds = f"{option.min} or more" if option.min is not None else ""
    if option.max is not None:
        bounds = f"{option.min} to {option.max}"
    return " " + code(option.metavar or annotation.__name__.upper()) + bounds.join((" ", ""))


def _default(option: Any) -> str:
    value = option.default
    if option.is_flag or value is None or callable(value) or value == ():
        return ""
    return code(value)
