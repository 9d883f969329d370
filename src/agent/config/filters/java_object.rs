//! Objects in the stream that Java's `ObjectOutputStream` writes: as much of it as key stores need, which is
//! fields of simple classes, byte arrays, texts and enums.

use std::rc::Rc;

const MAGIC: [u8; 4] = [0xac, 0xed, 0, 5];
const NULL: u8 = 0x70;
const REFERENCE: u8 = 0x71;
const CLASS: u8 = 0x72;
const OBJECT: u8 = 0x73;
const STRING: u8 = 0x74;
const ARRAY: u8 = 0x75;
const END: u8 = 0x78;
const ENUM: u8 = 0x7e;
/// The number of the first thing that can be referred to.
const FIRST: u32 = 0x7e_0000;
/// The class has a method of its own that writes behind its fields.
const WRITES: u8 = 1;
const SERIALIZABLE: u8 = 2;
/// Objects within objects at most.
const DEEPEST: usize = 16;

/// Bytes that are read from the front; nothing is taken that is not there.
pub(super) struct Bytes<'a>(pub &'a [u8]);

/// The error is the end of a sentence.
pub(super) type Got<T> = Result<T, String>;

impl<'a> Bytes<'a> {
    pub fn take(&mut self, count: usize) -> Got<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("ends too early")?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Got<[u8; N]> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| "ends too early".into())
    }

    pub fn u8(&mut self) -> Got<u8> {
        Ok(self.array::<1>()?[0])
    }

    pub fn u16(&mut self) -> Got<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub fn u32(&mut self) -> Got<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// A text with its length in front.
    pub fn text(&mut self) -> Got<String> {
        let length = self.u16()?;
        Ok(String::from_utf8_lossy(self.take(length.into())?).into_owned())
    }

    /// Bytes with their length in front.
    pub fn block(&mut self) -> Got<&'a [u8]> {
        let length = self.u32()?;
        self.take(length as usize)
    }
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Bytes(Vec<u8>),
    Text(String),
    Object(Object),
    /// A number, a null, an enum: nobody asks.
    Other,
}

/// An object by its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Object {
    pub class: String,
    fields: Vec<(String, Value)>,
}

impl Object {
    /// The bytes in a field.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.fields.iter().find_map(|(own, value)| match value {
            Value::Bytes(bytes) if own == name => Some(&bytes[..]),
            _ => None,
        })
    }

    /// The text in a field.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.fields.iter().find_map(|(own, value)| match value {
            Value::Text(text) if own == name => Some(&text[..]),
            _ => None,
        })
    }
}

struct Class {
    name: String,
    flags: u8,
    /// Types and names.
    fields: Vec<(u8, String)>,
    above: Option<Rc<Class>>,
}

/// What can be referred to.
#[derive(Clone)]
enum Known {
    Class(Rc<Class>),
    Text(String),
    Other,
}

struct Stream<'a, 'b> {
    bytes: &'b mut Bytes<'a>,
    known: Vec<Known>,
}

/// Read a stream that holds one object, from the front of `bytes`.
pub(super) fn read(bytes: &mut Bytes<'_>) -> Got<Object> {
    if bytes.take(4)? != MAGIC {
        return Err("is no stream of Java objects".into());
    }
    let known = Vec::new();
    match (Stream { bytes, known }).value(0)? {
        Value::Object(object) => Ok(object),
        _ => Err("holds no object".into()),
    }
}

impl Stream<'_, '_> {
    fn value(&mut self, depth: usize) -> Got<Value> {
        if depth > DEEPEST {
            return Err("has objects within objects without an end".into());
        }
        match self.bytes.u8()? {
            NULL => Ok(Value::Other),
            REFERENCE => Ok(match self.referred()? {
                Known::Text(text) => Value::Text(text),
                _ => Value::Other,
            }),
            STRING => {
                let text = self.bytes.text()?;
                self.known.push(Known::Text(text.clone()));
                Ok(Value::Text(text))
            }
            ARRAY => self.bytes_of_array(depth),
            OBJECT => self.object(depth).map(Value::Object),
            ENUM => {
                self.class(depth)?;
                self.known.push(Known::Other);
                self.value(depth + 1)?;
                Ok(Value::Other)
            }
            other => Err(format!("has something of kind {other:#x}, which is not known")),
        }
    }

    fn referred(&mut self) -> Got<Known> {
        let number = self.bytes.u32()?;
        let at = number.checked_sub(FIRST).map(|at| at as usize);
        let known = at.and_then(|at| self.known.get(at)).cloned();
        known.ok_or_else(|| "refers to something that it has not".into())
    }

    fn bytes_of_array(&mut self, depth: usize) -> Got<Value> {
        let class = self.class(depth)?.ok_or("has an array without a class")?;
        self.known.push(Known::Other);
        match &class.name[..] {
            "[B" => Ok(Value::Bytes(self.bytes.block()?.to_vec())),
            other => Err(format!("has an array {other}, which no key has")),
        }
    }

    fn object(&mut self, depth: usize) -> Got<Object> {
        let class = self.class(depth)?.ok_or("has an object without a class")?;
        self.known.push(Known::Other);
        // The uppermost class comes first.
        let mut chain = vec![class.clone()];
        while let Some(above) = chain.last().and_then(|last| last.above.clone()) {
            chain.push(above);
        }
        let mut fields = Vec::new();
        for class in chain.iter().rev().filter(|class| class.flags & SERIALIZABLE != 0) {
            for (of, name) in &class.fields {
                let value = match of {
                    b'[' | b'L' => self.value(depth + 1)?,
                    _ => {
                        self.bytes.take(size(*of)?)?;
                        Value::Other
                    }
                };
                fields.push((name.clone(), value));
            }
            if class.flags & WRITES != 0 && self.bytes.u8()? != END {
                return Err(format!("has something behind the fields of {}", class.name));
            }
        }
        Ok(Object {
            class: class.name.clone(),
            fields,
        })
    }

    fn class(&mut self, depth: usize) -> Got<Option<Rc<Class>>> {
        if depth > DEEPEST {
            return Err("has classes above classes without an end".into());
        }
        match self.bytes.u8()? {
            NULL => return Ok(None),
            REFERENCE => {
                return match self.referred()? {
                    Known::Class(class) => Ok(Some(class)),
                    _ => Err("refers to a class that is none".into()),
                };
            }
            CLASS => {}
            other => return Err(format!("has {other:#x} where a class belongs")),
        }
        let name = self.bytes.text()?;
        self.bytes.take(8)?;
        // It can be referred to before it is whole; what is asked then is nothing that stands behind.
        let at = self.known.len();
        self.known.push(Known::Other);
        let flags = self.bytes.u8()?;
        let mut fields = Vec::new();
        for _ in 0..self.bytes.u16()? {
            let of = self.bytes.u8()?;
            let name = self.bytes.text()?;
            if matches!(of, b'[' | b'L') {
                self.value(depth + 1)?;
            }
            fields.push((of, name));
        }
        if self.bytes.u8()? != END {
            return Err(format!("has something behind the class {name}"));
        }
        let above = self.class(depth + 1)?;
        let class = Rc::new(Class {
            name,
            flags,
            fields,
            above,
        });
        self.known[at] = Known::Class(class.clone());
        Ok(Some(class))
    }
}

/// Bytes of a number.
fn size(of: u8) -> Got<usize> {
    match of {
        b'B' | b'Z' => Ok(1),
        b'C' | b'S' => Ok(2),
        b'I' | b'F' => Ok(4),
        b'J' | b'D' => Ok(8),
        other => Err(format!("has a field of type {other:#x}")),
    }
}
