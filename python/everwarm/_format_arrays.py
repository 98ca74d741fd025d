"""Arrays and scalars of numpy: their bytes with a description, and back.

The description is ``[dtype, shape, order]``, or ``[dtype]`` for a scalar, with the code of its type where
others have the same dtype (``["<i8", "q"]``). A dtype is its text (``"<f8"``),
with the bits of its mantissa behind it for long doubles, or ``{"names", "formats", "offsets", "itemsize",
"aligned"}``, or ``[dtype, shape]`` for the part of a structure that is an array itself. Texts of variable
width, whose elements lie elsewhere, are ``["T", shape, order, coerce, missing, elements]`` without bytes.
"""

from __future__ import annotations

import numpy as np

from everwarm._format import Unfit
from everwarm._format_stream import ALWAYS

ARRAY, SCALAR = 64, 65

_STRUCTURE = {"names", "formats", "offsets", "itemsize", "aligned"}

# Up to here dtypes are numpy's own and of one width.
_LAST_OWN = 23
_OBJECT = 17
_LONG_DOUBLES = (13, 16)
_INTS = ("i", "I", "l", "L", "q", "Q")
_MOST_DIMENSIONS = 64
# Texts of variable width, and what may stand for a missing one.
_TEXTS = "T"
_MISSING = {None: None, "None": None, "nan": float("nan")}


def taken(kind, obj):
    """The description of an array or a scalar, and its bytes as a buffer."""
    if kind == ARRAY and obj.dtype.char == _TEXTS:
        return _taken_texts(obj), b""
    said = _said(obj.dtype)
    if not _same(_dtype(said), obj.dtype):
        raise Unfit("its dtype would not come back as it is")
    if kind == SCALAR:
        # An array made from an empty text would have room for one character.
        array = np.ndarray((), obj.dtype)
        array[()] = obj
        content = _content(array)
        said = [said, *_twin(obj.dtype)]
        back = made(SCALAR, said, content, False)
        if type(back) is not type(obj) or obj.dtype.kind in "SU" and len(back) != len(obj):
            raise Unfit("numpy would give back another")
        return said, content
    _check_count(obj.dtype, obj.size)
    order = _order(obj)
    return [said, list(obj.shape), order], _content(obj, order)


def made(kind, said, content, is_shared):
    """The array or scalar of a description, over its bytes; it can be written where these can."""
    if kind == SCALAR:
        of, *code = said
        dtype = _dtype(of)
        if code:
            dtype = _dtype_of_twin(dtype, *code)
        _fits(dtype, (), content)
        array = np.ndarray((), dtype, bytearray(content))
        _check_texts(array)
        return array[()]
    if said[0] == _TEXTS:
        return _made_texts(said, content)
    of, shape, order = said
    if order not in ("C", "F") or type(shape) is not list or len(shape) > _MOST_DIMENSIONS:
        raise ValueError("no layout")
    dtype = _dtype(of)
    shape = tuple(shape)
    _fits(dtype, shape, content)
    array = np.ndarray(shape, dtype, content, order=order)
    if not array.flags.aligned:
        # Where it lies no library would be quick with it.
        array = array.copy("K")
        array.flags.writeable = not is_shared
    _check_texts(array)
    return array


def _twin(dtype):
    """The code of an int that is not the first of its width, such as ``long long``; nothing of others."""
    return [dtype.char] if dtype.char in _INTS and np.dtype(dtype.str).type is not dtype.type else []


def _dtype_of_twin(dtype, code):
    if type(code) is not str or code not in _INTS or np.dtype(code) != dtype:
        raise ValueError("no dtype")
    return np.dtype(code)


def _order(array):
    return "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"


def _taken_texts(array):
    """The description of an array of texts of variable width, with its elements: None for a missing one."""
    dtype, missing = array.dtype, None
    if hasattr(dtype, "na_object"):
        none, nan = (
            dtype.na_object is None,
            isinstance(dtype.na_object, float) and dtype.na_object != dtype.na_object,
        )
        if not none and not nan:
            raise Unfit("what stands for its missing elements is neither None nor nan")
        missing = "None" if none else "nan"
    order = _order(array)
    elements = [text if type(text) is str else None for text in array.ravel(order).tolist()]
    return [_TEXTS, list(array.shape), order, bool(dtype.coerce), missing, elements]


def _made_texts(said, content):
    _, shape, order, coerce, missing, elements = said
    if order not in ("C", "F") or type(coerce) is not bool or missing not in _MISSING or len(content):
        raise ValueError("no texts")
    if not all(type(text) is str or text is None and missing is not None for text in elements):
        raise ValueError("no texts")
    given = {} if missing is None else {"na_object": _MISSING[missing]}
    dtype = np.dtypes.StringDType(coerce=coerce, **given)
    texts = [given["na_object"] if text is None else text for text in elements]
    return np.array(texts, dtype).reshape(tuple(shape), order=order)


def _fits(dtype, shape, content):
    count = 1
    for length in shape:
        if type(length) is not int or length < 0:
            raise ValueError("no shape")
        count *= length
    if count * dtype.itemsize != len(content) or dtype.hasobject:
        raise ValueError("no content of this shape")
    _check_count(dtype, count)


def _check_count(dtype, count):
    """Refuses elements without a byte in a number that none bounds."""
    if not dtype.itemsize and count > ALWAYS:
        raise Unfit(f"it has more than {ALWAYS} elements, and no bytes")


def _check_texts(array):
    """Refuses texts with numbers that are no code points: whoever reads such an element dies of it."""
    if array.dtype.names is not None:
        for name in array.dtype.names:
            _check_texts(array[name])
    elif array.dtype.kind == "U" and array.size and array.itemsize:
        points = np.ascontiguousarray(array).reshape(-1).view(array.dtype.str[0] + "u4")
        if points.max() > 0x10FFFF:
            raise ValueError("no text")


def _said(dtype):
    if dtype.metadata:
        raise Unfit("its dtype has metadata")
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return [_said(base), list(shape)]
    if dtype.names is not None:
        parts = [dtype.fields[name] for name in dtype.names]
        titles = [part[2] if len(part) > 2 else None for part in parts]
        if not all(title is None or type(title) is str for title in titles):
            raise Unfit("its dtype has titles that are no texts")
        if any(part[0].base.num in _LONG_DOUBLES for part in parts):
            raise Unfit("its dtype has fields of long doubles")
        return {
            **({"titles": titles} if any(titles) else {}),
            "names": list(dtype.names),
            "formats": [_said(part[0]) for part in parts],
            "offsets": [part[1] for part in parts],
            "itemsize": dtype.itemsize,
            "aligned": dtype.isalignedstruct,
        }
    if dtype.num == _OBJECT:
        raise Unfit("its elements are Python objects")
    if dtype.num > _LAST_OWN or dtype.num < 0:
        raise Unfit("its dtype is not one of numpy's plain ones")
    if dtype.num in _LONG_DOUBLES:
        return f"{dtype.str}/{np.finfo(np.longdouble).nmant}"
    return dtype.str


def _dtype(said):
    if type(said) is str:
        text, _, bits = said.partition("/")
        if bits and int(bits) != np.finfo(np.longdouble).nmant:
            raise ValueError("long doubles of another machine")
        if text[:1] not in ("<", ">", "|", "=") or "," in text or "(" in text:
            raise ValueError("no dtype")
        dtype = np.dtype(text)
        if dtype.num > _LAST_OWN or dtype.num == _OBJECT or (dtype.num in _LONG_DOUBLES) != bool(bits):
            raise ValueError("no dtype")
        # numpy takes steps of no length, and cannot show them.
        if dtype.kind in "mM" and np.datetime_data(dtype)[1] < 1:
            raise ValueError("no dtype")
        return dtype
    if type(said) is list:
        base, shape = said
        if not all(type(length) is int and 0 <= length < 1 << 31 for length in shape):
            raise ValueError("no dtype")
        return np.dtype((_dtype(base), tuple(shape)))
    if type(said) is not dict or set(said) - {"titles"} != _STRUCTURE:
        raise ValueError("no dtype")
    formats = [_dtype(part) for part in said["formats"]]
    parts = {name: said[name] for name in said if name not in ("formats", "aligned")}
    return np.dtype({**parts, "formats": formats}, align=bool(said["aligned"]))


def _same(one, two):
    alike = one.type is two.type or one.kind in "iu"
    return one == two and alike and one.isalignedstruct == two.isalignedstruct


def _content(array, order="C"):
    """The bytes that say the values of an array, and nothing else.

    What lies between fields, and behind the digits of long doubles, is whatever was in memory there.
    """
    if not array.size or not array.itemsize:
        return b""
    if _has_gaps(array.dtype):
        clean = np.zeros(array.shape, array.dtype)
        _copy_fields(array, clean)
        array = clean
    flat = array.ravel(order).view(np.uint8)
    if array.dtype.num in _LONG_DOUBLES:
        width = array.itemsize // (2 if array.dtype.kind == "c" else 1)
        each = flat.reshape(-1, width).copy()
        if not array.dtype.isnative:
            each = each[:, ::-1]
        each[:, _USED:] = 0
        flat = (each if array.dtype.isnative else each[:, ::-1]).ravel()
    flat.flags.writeable = False
    return flat.data


# An 80-bit float lies in 12 or 16 bytes, of which ten are its own.
_USED = 10 if np.finfo(np.longdouble).nmant == 63 else None


def _has_gaps(dtype):
    if dtype.subdtype is not None:
        return _has_gaps(dtype.subdtype[0])
    if dtype.names is None:
        return False
    end = 0
    for part, offset in sorted((dtype.fields[name][:2] for name in dtype.names), key=lambda part: part[1]):
        if offset != end or _has_gaps(part):
            return True
        end += part.itemsize
    return end != dtype.itemsize


def _copy_fields(source, target):
    if source.dtype.names is None:
        target[...] = source
    else:
        for name in source.dtype.names:
            _copy_fields(source[name], target[name])
