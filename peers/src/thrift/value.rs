//! Values of every type that Thrift has, without an IDL that would name them.

/// Structs, maps, sets and lists may stand in each other this deep.
pub(super) const DEPTH: usize = 64;

/// The fields of a struct, in the order on the wire.
pub type Fields = Vec<(i16, Value)>;

/// A type, with its code in the binary protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A truth value.
    Bool = 2,
    /// 8 bits.
    I8 = 3,
    /// 64 bits of floating point.
    Double = 4,
    /// 16 bits.
    I16 = 6,
    /// 32 bits.
    I32 = 8,
    /// 64 bits.
    I64 = 10,
    /// Text or bytes.
    Binary = 11,
    /// A struct, union or exception.
    Struct = 12,
    /// Keys with values.
    Map = 13,
    /// Values without order.
    Set = 14,
    /// Values in order.
    List = 15,
    /// 16 bytes.
    Uuid = 16,
}

impl Type {
    /// All of them.
    pub const ALL: [Type; 12] = [
        Type::Bool,
        Type::I8,
        Type::Double,
        Type::I16,
        Type::I32,
        Type::I64,
        Type::Binary,
        Type::Struct,
        Type::Map,
        Type::Set,
        Type::List,
        Type::Uuid,
    ];

    /// The type with this code in the binary protocol.
    pub fn of_code(code: u8) -> Option<Type> {
        Type::ALL.into_iter().find(|known| *known as u8 == code)
    }
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A truth value.
    Bool(bool),
    /// 8 bits.
    I8(i8),
    /// 16 bits.
    I16(i16),
    /// 32 bits; an enum's number, too.
    I32(i32),
    /// 64 bits.
    I64(i64),
    /// A floating-point number.
    Double(f64),
    /// Text or bytes.
    Binary(Vec<u8>),
    /// A struct, union or exception.
    Struct(Fields),
    /// Keys with values, in the order on the wire. The types of both are `None` in an empty compact map.
    Map(Option<(Type, Type)>, Vec<(Value, Value)>),
    /// Values without order, in that of the wire.
    Set(Type, Vec<Value>),
    /// Values in order.
    List(Type, Vec<Value>),
    /// 16 bytes.
    Uuid([u8; 16]),
}

impl Value {
    /// Its type.
    pub fn kind(&self) -> Type {
        match self {
            Value::Bool(_) => Type::Bool,
            Value::I8(_) => Type::I8,
            Value::I16(_) => Type::I16,
            Value::I32(_) => Type::I32,
            Value::I64(_) => Type::I64,
            Value::Double(_) => Type::Double,
            Value::Binary(_) => Type::Binary,
            Value::Struct(_) => Type::Struct,
            Value::Map(..) => Type::Map,
            Value::Set(..) => Type::Set,
            Value::List(..) => Type::List,
            Value::Uuid(_) => Type::Uuid,
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Binary(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// Texts with texts.
    pub fn texts<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Value {
        let pairs = pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        Value::Map(Some((Type::Binary, Type::Binary)), pairs)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Binary(text.as_bytes().to_vec())
    }
}
