// Debian's compiler (0.17) has no type uuid, so what it would make of this file is written by hand in each language,
// with `id` and `more` as uuids. It is here so that interop.thrift can name the struct.
namespace py ident
namespace go ident
namespace java metaproxy.interop.thrift.ident

struct Ident {
    1: binary id
    2: list<binary> more
}
