"""The values of `tests/vectors/values.json`, and how it is written anew: `python vector_values.py`."""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

PATH = pathlib.Path(__file__).parent.parent / "vectors" / "values.json"

# Expressions, evaluated where `modules` are imported and the classes of `format_classes` known.
PLAIN = """
None True False
0 1 127 128 255 256 65535 65536 2**32-1 2**32 2**63-1 2**63 2**64-1
-1 -32 -33 -128 -129 -32768 -32769 -2**31 -2**31-1 -2**63
2**64 -2**63-1 2**71 -2**71 2**200 -2**200 10**30
0.0 -0.0 1.5 -1e300 5e-324 float('inf') float('-inf') float('nan')
'' 'a' 'a'*31 'a'*32 'a'*255 'a'*256 'a'*65535 'a'*65536 'é' chr(0x20ac) chr(0x1f600) chr(0) chr(0xdc80)
'a'+chr(0xd800)
b'' bytes([0,255]) b'a'*255 b'a'*256 b'a'*65536
[] [1] [1]*15 [1]*16 [None]*65536 [[],[[]]] {} {'a':1}
{1:2,'b':[3],None:True,(1,):b''} dict.fromkeys(range(16))
{'b':1,'a':2}
() (1,) (1,'a',None) ((),()) (0,)*300 set() {1} {(1,2)} frozenset() frozenset([1])
bytearray() bytearray(b'ab')
bytearray(300) memoryview(b'ab') memoryview(b'') memoryview(bytes(6)).cast('B',[2,3])
memoryview(array.array('d',[1.5]))
array.array('b',[1,-1]) array.array('d',[0.5]) array.array('i')
1j complex(-0.0,float('inf')) range(5) range(1,10,3) range(2**70,-5,-1)
"""
LIBRARY = """
datetime.date(2024,2,29) datetime.date(1,1,1) datetime.date(9999,12,31)
datetime.time(0,0) datetime.time(23,59,59,999999,fold=1)
datetime.time(1,2,tzinfo=datetime.timezone.utc)
datetime.datetime(2024,1,2,3,4,5,6) datetime.datetime(2024,1,2,tzinfo=datetime.timezone.utc)
datetime.datetime(2024,10,27,2,30,fold=1,tzinfo=zoneinfo.ZoneInfo('Europe/Berlin'))
datetime.timedelta(0) datetime.timedelta(-1,86399,999999) datetime.timedelta(days=999999999)
datetime.timezone.utc datetime.timezone(datetime.timedelta(hours=-3,microseconds=1))
datetime.timezone(datetime.timedelta(hours=1),'CET') zoneinfo.ZoneInfo('Asia/Kathmandu')
decimal.Decimal('1.10') decimal.Decimal('-0E+3') decimal.Decimal('NaN123') decimal.Decimal('-Infinity')
decimal.Decimal('1E-1000') fractions.Fraction(-3,7) fractions.Fraction(0) fractions.Fraction(2**80,3)
uuid.UUID('12345678-1234-5678-1234-567812345678')
uuid.UUID(int=1,is_safe=uuid.SafeUUID.safe) uuid.UUID(int=1,is_safe=uuid.SafeUUID.unsafe)
pathlib.PurePosixPath('/a/b') pathlib.PurePosixPath() pathlib.PureWindowsPath('c:/x')
ipaddress.ip_address('10.0.0.1') ipaddress.ip_address('::1') ipaddress.ip_network('10.0.0.0/8')
ipaddress.ip_interface('::1/64')
collections.OrderedDict() collections.OrderedDict([(2,1),(1,2)])
collections.defaultdict(list,{1:[2]}) collections.defaultdict(None,{}) collections.Counter('aab')
collections.deque() collections.deque([1,2],5)
"""
# Zones that libraries make, and an int that is not the first of its width.
LIBRARIES = """
pydantic_core.TzInfo(0) pydantic_core.TzInfo(-5400)
datetime.datetime(2024,1,2,tzinfo=pydantic_core.TzInfo(7200))
tz.tzutc() tz.tzoffset(None,3600) tz.tzoffset('CET',3600) datetime.time(1,2,tzinfo=tz.tzutc()) np.longlong(-5)
"""
CLASSES = """
Point(1,2) Point(Point(1),[Frozen('a')]) Frozen('a',(1,)) Counted(4) Box([1]) Pair(1,'a') Pair(Pair(1,2),None)
Colour.RED Colour.GREEN Level.LOW Access.READ Access.READ|Access.WRITE Access(0)
"""
ARRAYS = """
np.arange(3,dtype='<i8') np.array(['a','bcd'],dtype='<U3') np.array([1,2],dtype='>i2')
np.zeros((2,0),dtype='<f8')
np.array(5,dtype='<f4') np.asfortranarray(np.arange(6,dtype='|u1').reshape(2,3)) np.arange(200,dtype='<f8')
(np.arange(200,dtype='<f8'),np.arange(200,dtype='<f8')) np.array([True,False])
np.array(['2024-01-02','NaT'],dtype='<M8[D]') np.array([5],dtype='<m8[ns]') np.array([1+2j],dtype='<c16')
np.array([(1,2.5)],dtype=[('a','|i1'),('b','<f8')])
np.array([(1,[2,3])],dtype={'names':['a','b'],'formats':['|i1',('<i4',(2,))],'offsets':[0,4],'itemsize':16})
np.float64(1.5) np.int8(-1) np.bool_(True) np.datetime64('2024','Y') np.str_('ab')
np.array(['a',''],np.dtypes.StringDType()) np.array([['a',None]],np.dtypes.StringDType(na_object=None))
"""
# Bytes that depend on the version of a library: read, never compared.
FRAMES = """
pd.DataFrame({'a':[1,2],'b':['x',None]}) pd.Series([1.5,2.5],name='n')
pl.DataFrame({'a':[1,None],'b':[[1],[2]]}) pl.Series('s',['x',None]) pa.table({'a':[1,2]})
pd.NaT pd.NA pd.Timedelta(5,'ns') pd.Timestamp(5,unit='s')
pd.Timestamp('2024-10-27T01:30',tz='UTC').tz_convert('Europe/Berlin')
"""
GROUPS = {
    "plain": PLAIN,
    "library": LIBRARY,
    "classes": CLASSES,
    "arrays": ARRAYS,
    "frames": FRAMES,
    "libraries": LIBRARIES,
}
NEEDS = {
    "arrays": ["numpy"],
    "frames": ["numpy", "pandas", "polars", "pyarrow"],
    "libraries": ["numpy", "pydantic_core", "dateutil"],
}


def value_of(expression: str) -> Any:
    """The value of an expression of the vectors."""
    import array
    import collections
    import datetime
    import decimal
    import fractions
    import importlib
    import importlib.util
    import ipaddress
    import uuid
    import zoneinfo

    import format_classes

    known = {
        **vars(format_classes),
        "array": array,
        "collections": collections,
        "datetime": datetime,
        "decimal": decimal,
    }
    known |= {"fractions": fractions, "ipaddress": ipaddress, "pathlib": pathlib, "uuid": uuid}
    known["zoneinfo"] = zoneinfo
    libraries = {"np": "numpy", "pd": "pandas", "pl": "polars", "pa": "pyarrow"}
    for short, name in {**libraries, "tz": "dateutil.tz", "pydantic_core": "pydantic_core"}.items():
        if f"{short}." in expression and importlib.util.find_spec(name.partition(".")[0]):
            known[short] = importlib.import_module(name)
    return eval(expression, known)


def main() -> None:
    import wire
    from everwarm._native import Format, encode
    from format_classes import ALL

    plan = Format("msgpack", None, ALL)
    vectors = []
    for group, text in GROUPS.items():
        for expression in text.split():
            data = encode(value_of(expression), plan)
            vectors.append({"group": group, "value": expression, "hex": data.hex(), "tree": wire.tree(data)})
    short = [vector for vector in vectors if len(vector["hex"]) < 6000]
    lines = ",\n".join(json.dumps(vector) for vector in short)
    PATH.write_text(f'{{"specification": "docs/reference/values.md", "vectors": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    sys.exit(main())
