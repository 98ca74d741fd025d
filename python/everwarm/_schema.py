"""What a return annotation says: the classes that may be rebuilt, and a fingerprint of them."""

from __future__ import annotations

import ast
import hashlib
import inspect
import textwrap
import types
import typing
from functools import partial

from everwarm._errors import KeyRefused
from everwarm._native import canonical, class_name

# Digits of a fingerprint.
_DIGITS = 16


def annotation_of(function):
    """The return annotation of a function, resolved; None where there is none or a name leads nowhere."""
    function = inspect.unwrap(function)
    try:
        return typing.get_type_hints(function, include_extras=True).get("return")
    except Exception:
        # A name that only a type checker can follow.
        return None


def annotation_of_parameter(function):
    """The annotation of a function's first parameter, resolved; None where there is none."""
    try:
        hints = typing.get_type_hints(function, include_extras=True)
        return hints.get(next(iter(inspect.signature(function).parameters)))
    except Exception:
        # A built-in without a signature, or a name that only a type checker can follow.
        return None


def classes_of(annotation):
    """The classes that an annotation names, and those that their fields name, each once."""
    found = {}
    _walk(annotation, found)
    return list(found)


def schema_id(annotation):
    """A fingerprint of an annotation: 16 hexadecimal digits, or nothing where there is no annotation.

    It is made from names alone: of classes, of their fields and of what these are annotated with, and from
    the ``__cache_version__`` of a class. So it is the same in every process and on every version of Python,
    and another as soon as a class gains, loses or renames a field.
    """
    if annotation is None or annotation is inspect.Parameter.empty:
        return ""
    text = _described(annotation, {})
    return hashlib.blake2b(text.encode(), digest_size=_DIGITS // 2).hexdigest()


def of_items(schema):
    """The schema of what a generator function yields, other than that of one which returns such values."""
    return schema if schema.startswith("items") else "-".join(filter(None, ("items", schema)))


def source_digest(function):
    """A fingerprint of a function's code: of its source without comments and layout.

    Where there is no source, it is one of what its code names and holds. A partial is what it calls and the
    arguments that it holds; another object is what its class says of a call, and what it consists of.
    """
    text = _source_text(function)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGITS // 2).hexdigest()


def _source_text(function):
    function = inspect.unwrap(function, stop=lambda each: isinstance(each, partial))
    if isinstance(function, partial):
        parts = [_source_text(function.func), *map(_held_text, function.args)]
        parts += [f"{name}={_held_text(value)}" for name, value in sorted(function.keywords.items())]
        return f"partial({','.join(parts)})"
    if not (inspect.isroutine(function) or isinstance(function, type) or hasattr(function, "__code__")):
        name = getattr(function, "__name__", "")
        return f"object({name!r},{_held_text(function)},{_source_text(type(function).__call__)})"
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError, ValueError):
        code = getattr(function, "__code__", None)
        # What is no Python has its name alone.
        return repr(function.__name__) if code is None else _code_text(code)
    return _tree_text(_without_docstrings(tree))


def _held_text(value):
    """What a value consists of, as in a key; of one whose class does not say that, the class alone."""
    try:
        return canonical(value).hex()
    except KeyRefused:
        is_code = inspect.isroutine(value) or isinstance(value, partial)
        return _source_text(value) if is_code else class_name(type(value))


def _walk(annotation, found):
    annotation = _bare(annotation)
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if isinstance(annotation, (list, tuple)):
        parts = annotation
    for part in parts:
        _walk(type(part) if origin is typing.Literal else part, found)
    class_ = origin or annotation
    if (
        not isinstance(class_, type)
        or class_ in found
        or class_.__module__ in ("builtins", "types", "typing")
    ):
        return
    found[class_] = None
    for _, field in _fields(class_):
        _walk(field, found)


def _bare(annotation):
    """An annotation without what is said about it, and an alias as what it stands for."""
    while True:
        if hasattr(annotation, "__metadata__"):
            annotation = annotation.__origin__
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        elif isinstance(annotation, typing.TypeVar):
            bound = annotation.__bound__
            return typing.Any if bound is None else bound
        else:
            return annotation


def _fields(class_):
    """The fields of a class with their annotations, as declared."""
    names = None
    if "__dataclass_fields__" in class_.__dict__:
        fields = class_.__dict__["__dataclass_fields__"].values()
        names = [field.name for field in fields if field._field_type.name == "_FIELD"]
    elif "__attrs_attrs__" in class_.__dict__:
        names = [field.name for field in class_.__attrs_attrs__]
    elif hasattr(class_, "__pydantic_fields__"):
        # pydantic resolves annotations itself, also those of parametrized models.
        return [(name, field.annotation) for name, field in class_.__pydantic_fields__.items()]
    elif hasattr(class_, "__struct_fields__"):
        names = class_.__struct_fields__
    elif issubclass(class_, tuple) and hasattr(class_, "_fields"):
        names = class_._fields
    elif typing.is_typeddict(class_):
        names = sorted(class_.__annotations__)
    if names is None:
        return []
    try:
        hints = typing.get_type_hints(class_, include_extras=True)
    except Exception:
        # A name in one of the annotations leads nowhere: they are then what is written there.
        hints = _written(class_)
    return [(name, hints.get(name, typing.Any)) for name in names]


def _written(class_):
    found = {}
    for base in reversed(class_.__mro__):
        found.update(base.__dict__.get("__annotations__", {}))
    return found


def _described(annotation, seen):
    """A text for an annotation; classes that were described before are named by their number."""
    annotation = _bare(annotation)
    if isinstance(annotation, str):
        return repr(annotation)
    if isinstance(annotation, (list, tuple)):
        return f"[{','.join(_described(part, seen) for part in annotation)}]"
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Union or origin is types.UnionType:
        # The order of a union says nothing: each part is described as if it were the first.
        return f"Union[{','.join(sorted({_described(part, dict(seen)) for part in parts}))}]"
    if origin is typing.Literal:
        return f"Literal[{','.join(sorted(f'{type(part).__name__}:{part!r}' for part in parts))}]"
    text = _class_text(origin or annotation, seen)
    return f"{text}[{','.join(_described(part, seen) for part in parts)}]" if parts else text


def _class_text(class_, seen):
    if class_ is None or class_ is type(None):
        return "None"
    if class_ is Ellipsis:
        return "..."
    if not isinstance(class_, type):
        name = getattr(class_, "_name", None) or getattr(class_, "__name__", None)
        return f"typing:{name or type(class_).__name__}"
    if class_ in seen:
        return f"#{seen[class_]}"
    # Where the standard library keeps its paths differs between versions.
    text = class_name(class_).replace("pathlib._local:", "pathlib:")
    version = class_.__dict__.get("__cache_version__")
    if version is not None:
        text += f"@{version!r}"
    fields = _fields(class_)
    if not fields:
        return text
    seen[class_] = len(seen)
    return f"{text}({','.join(f'{name}:{_described(field, seen)}' for name, field in fields)})"


class _Undocumented(ast.NodeTransformer):
    def _bare(self, node):
        self.generic_visit(node)
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and isinstance(getattr(first.value, "value", None), str):
            node.body = node.body[1:]
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _bare


def _without_docstrings(tree):
    return _Undocumented().visit(tree)


def _tree_text(node):
    """A tree as text; fields that are empty are left out, since versions of Python add some."""
    if isinstance(node, ast.AST):
        parts = ((name, getattr(node, name, None)) for name in node._fields)
        shown = (f"{name}={_tree_text(part)}" for name, part in parts if part is not None and part != [])
        return f"{type(node).__name__}({','.join(sorted(shown))})"
    if isinstance(node, list):
        return f"[{','.join(map(_tree_text, node))}]"
    return f"{type(node).__name__}:{node!r}"


def _code_text(code):
    """What a code object names and holds, apart from its instructions, which are another on every version."""
    held = []
    for constant in code.co_consts:
        held.append(
            _code_text(constant) if isinstance(constant, types.CodeType) else _constant_text(constant)
        )
    names = (code.co_name, *code.co_names, "|", *code.co_varnames, "|", *code.co_freevars)
    return f"{','.join(names)}({','.join(held)})"


def _constant_text(constant):
    if isinstance(constant, frozenset):
        return f"frozenset:{sorted(map(_constant_text, constant))}"
    if isinstance(constant, tuple):
        return f"({','.join(map(_constant_text, constant))})"
    return f"{type(constant).__name__}:{constant!r}"
