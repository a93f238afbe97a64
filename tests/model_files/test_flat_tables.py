from flatbuffers import number_types
from flatbuffers.table import Table as Read

from search_server.model_files.flat_tables import Member, Schema, Table, flat_bytes

SCHEMA = Schema.of(
    Root="count:Uint32 choice:union sizes:[Int64] name:text children:[table] last:Int8",
    Child="value:Float32",
)


def read_root(data: bytes) -> Read:
    return Read(bytearray(data), int.from_bytes(data[:4], "little"))


def position(table: Read, place: int) -> int:
    return int(table.Pos + table.Offset(4 + 2 * place))


def test_fields_lie_where_the_schema_has_them_and_a_union_takes_two_places() -> None:
    children = [Table("Child", {"value": 1.5}), Table("Child", {"value": 2.5})]
    fields = {
        "count": 7,
        "choice": Member(3, Table("Child", {"value": 0.5})),
        "sizes": [1 << 40, 2],
        "name": "stem",
        "children": children,
        "last": -1,
    }
    data = flat_bytes(SCHEMA, Table("Root", fields), b"TEST")
    root = read_root(data)
    assert data[4:8] == b"TEST"
    assert root.Get(number_types.Uint32Flags, position(root, 0)) == 7
    assert root.Get(number_types.Uint8Flags, position(root, 1)) == 3
    chosen = Read(root.Bytes, root.Indirect(position(root, 2)))
    assert chosen.Get(number_types.Float32Flags, position(chosen, 0)) == 0.5
    start = root.Vector(root.Offset(4 + 2 * 3))
    assert [root.Get(number_types.Int64Flags, start + 8 * index) for index in range(2)] == [1 << 40, 2]
    assert root.String(position(root, 4)) == b"stem"
    assert root.VectorLen(root.Offset(4 + 2 * 5)) == 2
    assert root.Get(number_types.Int8Flags, position(root, 6)) == -1


def test_a_field_at_its_default_takes_no_room() -> None:
    empty = flat_bytes(SCHEMA, Table("Root", {}), b"TEST")
    assert flat_bytes(SCHEMA, Table("Root", {"count": 0}), b"TEST") == empty
    assert read_root(empty).Offset(4) == 0
