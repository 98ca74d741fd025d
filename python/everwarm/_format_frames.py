"""Frames, series and tables as streams of Arrow, with what Arrow does not keep beside them, and back.

Whatever is stored was read back and compared first: what would come back as another is refused.
"""

from __future__ import annotations

import io

from everwarm._format import Unfit
from everwarm._format_stream import check_dense, check_stream
from everwarm._load import load

PANDAS_FRAME, PANDAS_SERIES, POLARS_FRAME, POLARS_SERIES, ARROW_TABLE = range(72, 77)

# The name that the one column of a series has in the frame that is written.
_COLUMN = "value"
# Where a stream for all to read says what it was made from.
_KIND = b"everwarm"
# Before it, whoever wrote the bytes of a table could have code run by reading them (CVE-2023-47248).
_FIRST_SAFE = (14, 0, 1)


def taken(kind, obj):
    """The description of a frame, a series or a table, and its stream as a buffer."""
    said, content = _WAYS[kind][0](obj)
    _compare(kind, obj, made(kind, said, content, True))
    return said, memoryview(content).cast("B")


def made(kind, said, content, is_shared):
    """The frame, series or table of a description; a table lies in its stream, the others can be written."""
    return _WAYS[kind][1](said, content)


def to_stream(obj):
    """The stream of a frame or a table, whose schema says what it was made from."""
    pa = _arrow()
    kind = next((kind for kind, known in _classes() if type(obj) is known), None)
    if kind is None or kind in (PANDAS_SERIES, POLARS_SERIES):
        raise Unfit('the format "arrow" is for frames of pandas and polars and tables of pyarrow alone')
    if kind == PANDAS_FRAME:
        table = _table_of(obj)
        if _beside(obj):
            raise Unfit("Arrow keeps neither the frequency of its index, nor its attrs and flags")
    else:
        table = obj.to_arrow() if kind == POLARS_FRAME else obj
    if _KIND in (table.schema.metadata or {}):
        raise Unfit("the metadata of its schema has an entry that this format keeps for itself")
    metadata = {**(table.schema.metadata or {}), _KIND: str(kind).encode()}
    content = _stream_of(pa, table.replace_schema_metadata(metadata))
    _compare(kind, obj, from_stream(content))
    return content.to_pybytes()


def from_stream(content):
    """The frame or table of a stream that `to_stream` wrote."""
    table = _read(content)
    metadata = dict(table.schema.metadata or {})
    kind = int(metadata.pop(_KIND))
    table = table.replace_schema_metadata(metadata or None)
    if kind == PANDAS_FRAME:
        check_dense(content, True)
        return _pandas_of(table, {})
    if kind == POLARS_FRAME:
        check_dense(content, False)
        return load("polars").from_arrow(table)
    if kind == ARROW_TABLE:
        return table
    raise ValueError("no kind of frame")


def _arrow():
    try:
        load("pyarrow.ipc")
        pa = load("pyarrow")
    except ImportError:
        raise Unfit("pyarrow is not installed") from None
    if _release(pa.__version__) < _FIRST_SAFE:
        raise Unfit(
            f"pyarrow {pa.__version__} can be made to run code by what it reads (CVE-2023-47248): "
            "install pyarrow 14.0.1 or later"
        )
    return pa


def _release(version):
    """The first three numbers of a version."""
    parts = version.split(".")[:3]
    return tuple(int(part) if part.isdecimal() else 0 for part in parts)


def _classes():
    import sys

    for kind, module, name in (
        (PANDAS_FRAME, "pandas", "DataFrame"),
        (PANDAS_SERIES, "pandas", "Series"),
        (POLARS_FRAME, "polars", "DataFrame"),
        (POLARS_SERIES, "polars", "Series"),
        (ARROW_TABLE, "pyarrow", "Table"),
    ):
        if module in sys.modules:
            yield kind, getattr(sys.modules[module], name, None)


def _stream_of(pa, table):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _read(content):
    """The table of a stream. Its offsets are checked: whoever follows a wrong one leaves the stream."""
    pa = _arrow()
    check_stream(content)
    table = pa.ipc.open_stream(content).read_all()
    table.validate(full=True)
    return table


# pandas


def _table_of(frame, columns=None):
    pa = _arrow()
    if (
        columns is None
        and any(type(name) is not str for name in frame.columns)
        or not frame.columns.is_unique
    ):
        raise Unfit("its columns are not called by texts, each by another")
    bare = frame.copy(deep=False)
    bare.attrs = {}
    if columns is not None:
        bare.columns = [str(at) for at in range(frame.shape[1])]
    try:
        return pa.Table.from_pandas(bare)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise Unfit(f"Arrow has no type for what it holds ({type(error).__name__})") from None


def _beside(obj):
    """What Arrow does not keep of a frame or a series."""
    beside = {}
    if getattr(obj.index, "freq", None) is not None:
        beside["freq"] = obj.index.freqstr
    if obj.attrs:
        beside["attrs"] = dict(obj.attrs)
    if not obj.flags.allows_duplicate_labels:
        beside["unique"] = True
    return beside


def _restored(obj, said):
    if "columns" in said:
        start, stop, step, name = said["columns"]
        obj.columns = load("pandas").RangeIndex(start, stop, step, name=name)
    if "freq" in said:
        obj.index.freq = said["freq"]
    if "attrs" in said:
        obj.attrs = said["attrs"]
    if "unique" in said:
        obj.flags.allows_duplicate_labels = False
    return obj


def _numbered(frame):
    """The description of columns that are called by their numbers."""
    columns = frame.columns
    if type(columns) is not load("pandas").RangeIndex:
        return None
    return [columns.start, columns.stop, columns.step, columns.name]


def _take_frame(frame):
    beside, columns = _beside(frame), _numbered(frame)
    if columns is not None:
        beside["columns"] = columns
    return beside, _stream_of(_arrow(), _table_of(frame, columns))


def _make_frame(said, content):
    check_dense(content, True)
    return _pandas_of(_read(content), said)


def _pandas_of(table, said):
    return _restored(table.to_pandas().copy(), said)


def _take_series(series):
    frame = load("pandas").DataFrame({_COLUMN: series}, copy=False)
    return {**_beside(series), "name": series.name}, _stream_of(_arrow(), _table_of(frame))


def _make_series(said, content):
    series = _make_frame({}, content)[_COLUMN]
    series.name = said["name"]
    return _restored(series, said)


def said_of(obj):
    """What a time of pandas, or a mark for what is missing, is made from."""
    pd = load("pandas")
    if obj is pd.NaT or obj is pd.NA:
        return ["NaT" if obj is pd.NaT else "NA"]
    said = ["Timedelta", obj.asm8]
    if type(obj) is pd.Timestamp:
        said = ["Timestamp", obj.asm8, obj.fold, obj.tzinfo]
    back = scalar_of(said)
    if type(back) is not type(obj) or back != obj or back.unit != obj.unit:
        raise Unfit("pandas would give back another")
    return said


def scalar_of(said):
    """The time or mark of a description."""
    pd = load("pandas")
    name, *parts = said
    if name in ("NaT", "NA") and not parts:
        return getattr(pd, name)
    np = load("numpy")
    if name == "Timedelta" and type(parts[0]) is np.timedelta64:
        [duration] = parts
        return pd.Timedelta(duration)
    if name != "Timestamp" or type(parts[0]) is not np.datetime64:
        raise ValueError("no scalar of pandas")
    instant, fold, zone = parts
    made = pd.Timestamp(instant)
    if zone is None:
        return made.replace(fold=fold)
    return made.tz_localize("UTC").tz_convert(zone)


# polars


def _take_polars(frame):
    sink = io.BytesIO()
    try:
        frame.write_ipc_stream(sink)
    except Exception as error:
        raise Unfit(f"polars cannot write what it holds ({type(error).__name__})") from None
    return None, sink.getbuffer()


def _make_polars(said, content):
    check_stream(content)
    check_dense(content, False)
    try:
        return load("polars").read_ipc_stream(io.BytesIO(content))
    except BaseException as error:
        # A panic of polars is no `Exception`, and here means that the stream is none.
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError("no stream") from None


def _take_polars_series(series):
    return series.name, _take_polars(series.to_frame(_COLUMN))[1]


def _make_polars_series(said, content):
    return _make_polars(None, content)[_COLUMN].rename(said)


# pyarrow


def _take_table(table):
    return None, _stream_of(_arrow(), table)


def _make_table(said, content):
    return _read(content)


_WAYS = {
    PANDAS_FRAME: (_take_frame, _make_frame),
    PANDAS_SERIES: (_take_series, _make_series),
    POLARS_FRAME: (_take_polars, _make_polars),
    POLARS_SERIES: (_take_polars_series, _make_polars_series),
    ARROW_TABLE: (_take_table, _make_table),
}


# What came back, beside what went in


def _compare(kind, obj, back):
    if kind in (PANDAS_FRAME, PANDAS_SERIES):
        same = _same_pandas(kind, obj, back)
    elif kind == ARROW_TABLE:
        same = back.schema.equals(obj.schema, check_metadata=True) and back.equals(obj)
        same = same or (back.schema.equals(obj.schema, check_metadata=True) and _same_batches(obj, back))
    elif kind == POLARS_FRAME:
        same = back.schema == obj.schema and back.equals(obj, null_equal=True)
    else:
        same = back.name == obj.name and back.dtype == obj.dtype and back.equals(obj, null_equal=True)
    if not same:
        raise Unfit("Arrow would give back another")


def _same_batches(one, two):
    """Whether two tables are the same by their bytes: no float that is none equals itself."""
    pa = _arrow()
    return _stream_of(pa, one.combine_chunks()).equals(_stream_of(pa, two.combine_chunks()))


def _same_pandas(kind, one, two):
    if type(one) is not type(two) or not _same_index(one.index, two.index) or not one.equals(two):
        return False
    if kind == PANDAS_SERIES:
        return type(one.name) is type(two.name) and one.name == two.name and _same_column(one, two)
    return _same_index(one.columns, two.columns) and all(
        _same_column(one.iloc[:, at], two.iloc[:, at]) for at in range(one.shape[1])
    )


def _same_index(one, two):
    if type(one) is not type(two) or list(one.names) != list(two.names) or not one.equals(two):
        return False
    if getattr(one, "freq", None) != getattr(two, "freq", None):
        return False
    if hasattr(one, "levels"):
        return all(
            _same_index(one.get_level_values(at), two.get_level_values(at)) for at in range(one.nlevels)
        )
    return _same_column(one, two)


def _same_column(one, two):
    if one.dtype != two.dtype or type(one.dtype) is not type(two.dtype):
        return False
    if getattr(one.dtype, "storage", None) != getattr(two.dtype, "storage", None):
        return False
    if one.dtype != object:
        return True
    return all(type(a) is type(b) and (a == b or a is b or a != a) for a, b in zip(one, two, strict=True))
