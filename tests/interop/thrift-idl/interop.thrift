include "ident.thrift"

namespace py interop
namespace go interop
namespace java metaproxy.interop.thrift.gen

enum State {
    NEW = 1
    SHIPPED = 70000
}

struct Basic {
    1: bool yes
    2: bool no
    3: i8 tiny
    4: i16 small
    5: i32 middling
    6: i64 large
    7: double real
    8: string text
    9: binary raw
    10: State state
}

struct Line {
    1: required string sku
    40: optional i32 count
    2: optional double price
}

struct Order {
    1: i32 number
    2: list<Line> lines
    3: optional Line gift
    900: optional string note
}

struct Containers {
    2: set<string> tags
    3: map<i32, string> names
    4: map<string, list<map<i16, Line>>> deep
    5: list<string> nothing
    6: map<string, string> nobody
    7: list<double> many
}

struct Sample {
    1: optional Basic basic
    2: optional Order order
    3: optional Containers containers
    4: optional list<bool> truths
}

exception Refused {
    1: string reason
    2: i32 code
}

service Shop {
    string whoAmI()
    string sleep(1: i32 millis)
    Sample echo(1: Sample sample)
    binary bytes(1: binary payload)
    ident.Ident ident(1: ident.Ident ident)
    void nothing()
    string refuse(1: string reason) throws (1: Refused refused)
    string fail(1: string text)
    oneway void note(1: string key)
    i32 noted(1: string key)
    map<string, string> headers()
}

// The second service of a multiplexed port.
service Greeter {
    string greet(1: string name)
}

// No server has it.
service Ghost {
    string vanish()
}
