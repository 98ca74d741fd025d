"""Views of memory and arrays of the standard library: their bytes with a description, and back.

The description of a view is ``[format, shape]``, of an array ``[typecode]``; where an element takes more than
a byte, the order of its bytes follows.
"""

from __future__ import annotations

import sys
from array import array

from everwarm._format import Unfit

VIEW, NUMBERS = 66, 67

# What a view can be given again, by one letter; `n`, `N` and `P` are as wide as the machine says.
_FORMATS = frozenset("cbB?hHiIlLqQfd")


def taken(kind, obj):
    """The description of a view or an array, and its bytes as a buffer."""
    if kind == NUMBERS:
        said = [obj.typecode, *_width(obj.itemsize)]
        return said, obj.tobytes()
    try:
        form, shape = obj.format, list(obj.shape or ())
    except ValueError:
        raise Unfit("it is a view that was released") from None
    if form not in _FORMATS:
        raise Unfit("its elements are no plain numbers of one format")
    if not shape or len(shape) > 1 and 0 in shape:
        raise Unfit("a view of this shape cannot be made again")
    return [form, shape, *_width(obj.itemsize)], obj.tobytes()


def made(kind, said, content, is_shared):
    """The view or array of a description; a view is over its bytes, and cannot be written."""
    form, *rest = said
    if type(form) is not str:
        raise ValueError("no format")
    if kind == NUMBERS:
        numbers = array(form)
        _check_width(numbers.itemsize, rest)
        numbers.frombytes(content)
        return numbers
    shape, *rest = rest
    if form not in _FORMATS or type(shape) is not list or not all(type(each) is int for each in shape):
        raise ValueError("no view")
    view = memoryview(content if is_shared else bytes(content)).cast("B").toreadonly()
    if form != "B" or len(shape) != 1:
        view = view.cast(form) if len(shape) == 1 else view.cast(form, shape)
    _check_width(view.itemsize, rest)
    if list(view.shape) != shape:
        raise ValueError("no content of this shape")
    return view


def _width(itemsize):
    """What is said of the width of an element: nothing of a byte."""
    return [itemsize, sys.byteorder] if itemsize > 1 else []


def _check_width(itemsize, said):
    if said != _width(itemsize):
        raise ValueError("numbers of another machine")
