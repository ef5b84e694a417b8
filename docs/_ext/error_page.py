"""Page of all errors, from `runtime/errors.py` and the messages in the sources."""

import ast
import inspect
import re
from pathlib import Path

from markup import table

import pumice
from pumice.runtime import errors

FOLDERS = ("runtime", "convert", "deploy", "train", "report", "cli")
MAX_LENGTH = 400


def pages() -> dict[str, str]:
    """The page, by file name."""
    messages = _collect_messages(Path(pumice.__file__).parent.parent)
    parts = [
        "# Error catalogue",
        "Every error that input can cause is a `PumiceError` with a message of one line: who, "
        "what it has, what it needs and the remedy. The command line prints it after `pumice:` "
        "on standard error and exits with code 2. Every class but `PumiceError` is also a "
        "built-in exception, so that `except ValueError` works. The messages are taken from the "
        "sources; words in braces stand for values. A result that may mean less than it seems is "
        "a `PumiceWarning`, printed after `pumice: warning:`; where nothing of it is left, the "
        "exit code is 1.",
    ]
    for name, cls in vars(errors).items():
        if inspect.isclass(cls) and issubclass(cls, errors.PumiceError | Warning):
            bases = ", ".join(f"`{base.__name__}`" for base in cls.__bases__)
            parts += [f"## {name}", f"{inspect.getdoc(cls)} Bases: {bases}."]
            rows = sorted(messages.get(name, {}).items(), key=lambda row: (row[1], row[0]))
            if rows:
                parts.append(
                    table(("message", "raised in"), ((_escape(m), f"`{f}`") for m, f in rows))
                )
    return {"errors.md": "\n\n".join(parts) + "\n"}


def _collect_messages(root: Path) -> dict[str, dict[str, str]]:
    """Message templates and the module that raises each, by class of the error."""
    known = {name for name, cls in vars(errors).items() if inspect.isclass(cls)}
    found: dict[str, dict[str, str]] = {}
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not (isinstance(node, ast.Call) and node.args):
                    continue
                name, message = _raised_class(node), _template(node.args[0])
                if name in known and re.search(r"[a-z]{3} ", message):
                    place = path.relative_to(root).as_posix()
                    found.setdefault(name, {})[message] = place
    return found


def _raised_class(call: ast.Call) -> str:
    """Class of the error that `call` makes, or of the warning that it gives."""
    if isinstance(call.func, ast.Name):
        return "PumiceWarning" if call.func.id == "print_warning" else call.func.id
    names = [node.id for node in call.args[1:] if isinstance(node, ast.Name)]
    return "PumiceWarning" if "PumiceWarning" in names else ""


def _template(node: ast.expr) -> str:
    """Text of a string or f-string, values as names in braces; empty for another expression."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            f"{{{_placeholder(part.value)}}}"
            if isinstance(part, ast.FormattedValue)
            else str(getattr(part, "value", ""))
            for part in node.values
        )
    if isinstance(node, ast.BinOp):
        return _template(node.left) + _template(node.right)
    return ""


def _placeholder(node: ast.expr) -> str:
    """A short name for a value: its last attribute or name."""
    names = re.findall(r"[A-Za-z_]\w*", ast.unparse(node))
    words = [name for name in names if name not in ("join", "map", "str", "len", "sorted", "repr")]
    return words[-1].strip("_") if words else "value"


def _escape(message: str) -> str:
    text = message[:MAX_LENGTH]
    return re.sub(r"([\\`*_<>\[\]$])", r"\\\1", text)
