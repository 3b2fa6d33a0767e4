//! Writes hessian2 and Dubbo frames for tests: every form that the format has, chosen by the test.
//!
//! It is written from the format's description, apart from the codec's own few words of hessian2, so that the two
//! can disagree.

/// A value and the form in which it is written.
#[derive(Debug, Clone)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    /// The shortest form, or the longest.
    Int(i32, Length),
    Long(i64, Length),
    Double(Double),
    Millis(i64),
    Minutes(i32),
    /// Units per chunk that is not the last; 0: one chunk.
    Text(String, usize),
    /// Bytes per chunk that is not the last; 0: one chunk.
    Binary(Vec<u8>, usize),
    List(List, Vec<Tree>),
    /// The type, if any.
    Map(Option<String>, Vec<(Tree, Tree)>),
    /// Class, fields, whether the short form is used where it can be.
    Object(String, Vec<(String, Tree)>, Length),
    /// A reference to an earlier container.
    Reference(i32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Short,
    Long,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Double {
    Zero,
    One,
    Byte(i8),
    Short(i16),
    Millis(i32),
    Full(f64),
}

/// The forms of a list.
#[derive(Debug, Clone)]
pub(crate) enum List {
    /// Until an end.
    Open(Option<String>),
    /// A number of items; up to seven in one byte with the tag if `Short`.
    Counted(Option<String>, Length),
}

/// Text in one chunk.
pub(crate) fn text(text: &str) -> Tree {
    Tree::Text(text.to_owned(), 0)
}

/// What a writer remembers from value to value.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    pub(crate) bytes: Vec<u8>,
    classes: Vec<(String, Vec<String>)>,
    types: Vec<String>,
}

impl Writer {
    pub(crate) fn tree(&mut self, tree: &Tree) {
        match tree {
            Tree::Null => self.bytes.push(b'N'),
            Tree::Bool(value) => self.bytes.push(if *value { b'T' } else { b'F' }),
            Tree::Int(value, length) => self.int(*value, *length),
            Tree::Long(value, length) => self.long(*value, *length),
            Tree::Double(value) => self.double(*value),
            Tree::Millis(value) => self.tagged(0x4a, &value.to_be_bytes()),
            Tree::Minutes(value) => self.tagged(0x4b, &value.to_be_bytes()),
            Tree::Text(value, chunk) => self.chunked_text(value, *chunk),
            Tree::Binary(value, chunk) => self.binary(value, *chunk),
            Tree::List(form, items) => self.list(form, items),
            Tree::Map(kind, entries) => self.map(kind.as_deref(), entries),
            Tree::Object(class, fields, length) => self.object(class, fields, *length),
            Tree::Reference(number) => {
                self.bytes.push(b'Q');
                self.int(*number, Length::Short);
            }
        }
    }

    fn tagged(&mut self, tag: u8, bytes: &[u8]) {
        self.bytes.push(tag);
        self.bytes.extend_from_slice(bytes);
    }

    fn int(&mut self, value: i32, length: Length) {
        let [_, high, mid, low] = value.to_be_bytes();
        match (length, value) {
            (Length::Short, -16..=47) => self.bytes.push((0x90 + value) as u8),
            (Length::Short, -2048..=2047) => self.tagged(0xc8_u8.wrapping_add(mid), &[low]),
            (Length::Short, -0x40000..=0x3ffff) => self.tagged(0xd4_u8.wrapping_add(high), &[mid, low]),
            _ => self.tagged(b'I', &value.to_be_bytes()),
        }
    }

    fn count(&mut self, count: usize, length: Length) {
        self.int(i32::try_from(count).unwrap(), length);
    }

    fn long(&mut self, value: i64, length: Length) {
        let [.., high, mid, low] = value.to_be_bytes();
        match (length, value, i32::try_from(value)) {
            (Length::Short, -8..=15, _) => self.bytes.push((0xe0 + value) as u8),
            (Length::Short, -2048..=2047, _) => self.tagged(0xf8_u8.wrapping_add(mid), &[low]),
            (Length::Short, -0x40000..=0x3ffff, _) => self.tagged(0x3c_u8.wrapping_add(high), &[mid, low]),
            (Length::Short, _, Ok(value)) => self.tagged(b'Y', &value.to_be_bytes()),
            _ => self.tagged(b'L', &value.to_be_bytes()),
        }
    }

    fn double(&mut self, value: Double) {
        match value {
            Double::Zero => self.bytes.push(0x5b),
            Double::One => self.bytes.push(0x5c),
            Double::Byte(value) => self.tagged(0x5d, &value.to_be_bytes()),
            Double::Short(value) => self.tagged(0x5e, &value.to_be_bytes()),
            Double::Millis(value) => self.tagged(0x5f, &value.to_be_bytes()),
            Double::Full(value) => self.tagged(b'D', &value.to_be_bytes()),
        }
    }

    fn chunked_text(&mut self, text: &str, chunk: usize) {
        let units: Vec<u16> = text.encode_utf16().collect();
        let mut rest = &units[..];
        while chunk > 0 && rest.len() > chunk {
            let (now, later) = rest.split_at(chunk);
            self.tagged(b'R', &(chunk as u16).to_be_bytes());
            self.units(now);
            rest = later;
        }
        match rest.len() {
            len @ 0..=31 => self.bytes.push(len as u8),
            len @ 32..=1023 => self.tagged(0x30 + (len >> 8) as u8, &[len as u8]),
            len => self.tagged(b'S', &u16::try_from(len).unwrap().to_be_bytes()),
        }
        self.units(rest);
    }

    /// Each unit on its own, as Java does.
    fn units(&mut self, units: &[u16]) {
        for unit in units {
            let tail = |shift: u32| 0x80 | (unit >> shift & 0x3f) as u8;
            match unit {
                0..=0x7f => self.bytes.push(*unit as u8),
                0x80..=0x7ff => self.bytes.extend_from_slice(&[0xc0 | (unit >> 6) as u8, tail(0)]),
                _ => self.bytes.extend_from_slice(&[0xe0 | (unit >> 12) as u8, tail(6), tail(0)]),
            }
        }
    }

    fn binary(&mut self, bytes: &[u8], chunk: usize) {
        let mut rest = bytes;
        while chunk > 0 && rest.len() > chunk {
            let (now, later) = rest.split_at(chunk);
            self.tagged(b'A', &(chunk as u16).to_be_bytes());
            self.bytes.extend_from_slice(now);
            rest = later;
        }
        match rest.len() {
            len @ 0..=15 => self.bytes.push(0x20 + len as u8),
            len @ 16..=1023 => self.tagged(0x34 + (len >> 8) as u8, &[len as u8]),
            len => self.tagged(b'B', &u16::try_from(len).unwrap().to_be_bytes()),
        }
        self.bytes.extend_from_slice(rest);
    }

    fn kind(&mut self, kind: &str) {
        if let Some(number) = self.types.iter().position(|known| known == kind) {
            return self.count(number, Length::Short);
        }
        self.types.push(kind.to_owned());
        self.chunked_text(kind, 0);
    }

    fn list(&mut self, form: &List, items: &[Tree]) {
        let count = items.len();
        match form {
            List::Open(None) => self.bytes.push(b'W'),
            List::Open(Some(kind)) => {
                self.bytes.push(b'U');
                self.kind(kind);
            }
            List::Counted(None, Length::Short) if count <= 7 => self.bytes.push(0x78 + count as u8),
            List::Counted(Some(kind), Length::Short) if count <= 7 => {
                self.bytes.push(0x70 + count as u8);
                self.kind(kind);
            }
            List::Counted(None, length) => {
                self.bytes.push(b'X');
                self.count(count, *length);
            }
            List::Counted(Some(kind), length) => {
                self.bytes.push(b'V');
                self.kind(kind);
                self.count(count, *length);
            }
        }
        for item in items {
            self.tree(item);
        }
        if matches!(form, List::Open(_)) {
            self.bytes.push(b'Z');
        }
    }

    fn map(&mut self, kind: Option<&str>, entries: &[(Tree, Tree)]) {
        match kind {
            None => self.bytes.push(b'H'),
            Some(kind) => {
                self.bytes.push(b'M');
                self.kind(kind);
            }
        }
        for (key, value) in entries {
            self.tree(key);
            self.tree(value);
        }
        self.bytes.push(b'Z');
    }

    fn object(&mut self, class: &str, fields: &[(String, Tree)], length: Length) {
        let shape = (class.to_owned(), fields.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
        let number = self.classes.iter().position(|known| *known == shape).unwrap_or_else(|| {
            self.bytes.push(b'C');
            self.chunked_text(class, 0);
            self.count(fields.len(), length);
            for name in &shape.1 {
                self.chunked_text(name, 0);
            }
            self.classes.push(shape);
            self.classes.len() - 1
        });
        if length == Length::Short && number < 16 {
            self.bytes.push(0x60 + number as u8);
        } else {
            self.bytes.push(b'O');
            self.count(number, length);
        }
        for (_, value) in fields {
            self.tree(value);
        }
    }
}

/// A call, as a client would make it.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) id: u64,
    pub(crate) two_way: bool,
    pub(crate) serialization: u8,
    /// Protocol version, interface, version, method.
    pub(crate) head: [Tree; 4],
    pub(crate) descriptor: String,
    pub(crate) arguments: Vec<Tree>,
    pub(crate) attachments: Tree,
}

impl Call {
    /// `com.acme.Orders.place` with these arguments, of which the codec learns no more than that they are objects.
    pub(crate) fn new(arguments: Vec<Tree>, attachments: Vec<(Tree, Tree)>) -> Self {
        Self {
            id: 0x1122_3344_5566_7788,
            two_way: true,
            serialization: 2,
            head: [text("2.0.2"), text("com.acme.Orders"), text("1.4.0"), text("place")],
            descriptor: "Ljava/lang/Object;".repeat(arguments.len()),
            arguments,
            attachments: Tree::Map(None, attachments),
        }
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        let descriptor = text(&self.descriptor);
        let values = self.head.iter().chain([&descriptor]).chain(&self.arguments).chain([&self.attachments]);
        for value in values {
            writer.tree(value);
        }
        writer.bytes
    }

    pub(crate) fn frame(&self) -> Vec<u8> {
        let flags = 0x80 | if self.two_way { 0x40 } else { 0 } | self.serialization;
        frame(flags, 0, self.id, &self.body())
    }
}

/// A message of these parts.
pub(crate) fn frame(flags: u8, status: u8, id: u64, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xda, 0xbb, flags, status];
    bytes.extend_from_slice(&id.to_be_bytes());
    bytes.extend_from_slice(&(body.len() as u32).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}
