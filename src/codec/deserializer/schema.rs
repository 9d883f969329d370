//! Where a record of Avro ends: a schema, put into what has to be gone over.

use apache_avro::Schema;
use apache_avro::schema::{Name, UnionSchema};
use std::collections::HashMap;

/// Values inside of values at most.
const DEPTH: usize = 64;

/// What a value looks like.
#[derive(Debug, Clone)]
enum Shape {
    Nothing,
    /// A number of variable length.
    Varint,
    /// So many bytes.
    Fixed(usize),
    /// A length and so many bytes.
    Bytes,
    Array(Box<Shape>),
    /// From texts to values.
    Map(Box<Shape>),
    Union(Vec<Shape>),
    Record(Vec<Shape>),
    /// One that has a name, by its number.
    Named(usize),
}

/// A schema of records.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    named: Vec<Option<Shape>>,
    by_name: HashMap<Name, usize>,
    root: Option<Shape>,
}

impl Shapes {
    /// The error is a sentence.
    pub(super) fn new(schema: &Schema) -> Result<Shapes, String> {
        let mut shapes = Shapes::default();
        let root = shapes.of(schema, 0)?;
        shapes.root = Some(root);
        match shapes.named.iter().all(Option::is_some) {
            true => Ok(shapes),
            false => Err("it names a type that it does not have".into()),
        }
    }

    fn number(&mut self, name: &Name) -> usize {
        if let Some(number) = self.by_name.get(name) {
            return *number;
        }
        let number = self.named.len();
        self.named.push(None);
        self.by_name.insert(name.clone(), number);
        number
    }

    fn of(&mut self, schema: &Schema, depth: usize) -> Result<Shape, String> {
        if depth > DEPTH {
            return Err(format!("its types are more than {DEPTH} deep"));
        }
        Ok(match schema {
            Schema::Null => Shape::Nothing,
            Schema::Boolean => Shape::Fixed(1),
            Schema::Float => Shape::Fixed(4),
            Schema::Double => Shape::Fixed(8),
            Schema::Bytes | Schema::String | Schema::BigDecimal => Shape::Bytes,
            Schema::Array(array) => Shape::Array(Box::new(self.of(&array.items, depth + 1)?)),
            Schema::Map(map) => Shape::Map(Box::new(self.of(&map.types, depth + 1)?)),
            Schema::Union(union) => self.union(union, depth)?,
            Schema::Record(record) => {
                let number = self.number(&record.name);
                let fields = record
                    .fields
                    .iter()
                    .map(|field| self.of(&field.schema, depth + 1));
                let fields = fields.collect::<Result<Vec<_>, _>>()?;
                self.named[number] = Some(Shape::Record(fields));
                Shape::Named(number)
            }
            Schema::Enum(kind) => {
                let number = self.number(&kind.name);
                self.named[number] = Some(Shape::Varint);
                Shape::Varint
            }
            Schema::Fixed(fixed) => {
                let number = self.number(&fixed.name);
                self.named[number] = Some(Shape::Fixed(fixed.size));
                Shape::Fixed(fixed.size)
            }
            Schema::Ref { name } => Shape::Named(self.number(name)),
            Schema::Decimal(decimal) => match &decimal.inner {
                apache_avro::schema::InnerDecimalSchema::Bytes => Shape::Bytes,
                apache_avro::schema::InnerDecimalSchema::Fixed(fixed) => {
                    let number = self.number(&fixed.name);
                    self.named[number] = Some(Shape::Fixed(fixed.size));
                    Shape::Fixed(fixed.size)
                }
            },
            Schema::Uuid(uuid) => match uuid {
                apache_avro::schema::UuidSchema::Bytes | apache_avro::schema::UuidSchema::String => {
                    Shape::Bytes
                }
                apache_avro::schema::UuidSchema::Fixed(fixed) => {
                    let number = self.number(&fixed.name);
                    self.named[number] = Some(Shape::Fixed(fixed.size));
                    Shape::Fixed(fixed.size)
                }
            },
            Schema::Duration(fixed) => {
                let number = self.number(&fixed.name);
                self.named[number] = Some(Shape::Fixed(fixed.size));
                Shape::Fixed(fixed.size)
            }
            // All others are numbers under another name.
            _ => Shape::Varint,
        })
    }

    fn union(&mut self, union: &UnionSchema, depth: usize) -> Result<Shape, String> {
        let branches = union.variants().iter().map(|branch| self.of(branch, depth + 1));
        Ok(Shape::Union(branches.collect::<Result<Vec<_>, _>>()?))
    }

    /// What follows the first record in these bytes; `None` if they are none.
    pub(super) fn behind<'b>(&self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let mut rest = bytes;
        self.skip(self.root.as_ref()?, &mut rest, 0)?;
        Some(rest)
    }

    fn skip(&self, shape: &Shape, rest: &mut &[u8], depth: usize) -> Option<()> {
        (depth <= DEPTH).then_some(())?;
        match shape {
            Shape::Nothing => {}
            Shape::Varint => drop(super::super::avro::take_long(rest)?),
            Shape::Fixed(size) => *rest = rest.get(*size..)?,
            Shape::Bytes => {
                let length = usize::try_from(super::super::avro::take_long(rest)?).ok()?;
                *rest = rest.get(length..)?;
            }
            Shape::Array(item) => {
                self.skip_blocks(rest, |shapes, rest| shapes.skip(item, rest, depth + 1))?
            }
            Shape::Map(value) => self.skip_blocks(rest, |shapes, rest| {
                shapes.skip(&Shape::Bytes, rest, depth)?;
                shapes.skip(value, rest, depth + 1)
            })?,
            Shape::Union(branches) => {
                let branch = usize::try_from(super::super::avro::take_long(rest)?).ok()?;
                self.skip(branches.get(branch)?, rest, depth + 1)?;
            }
            Shape::Record(fields) => {
                for field in fields {
                    self.skip(field, rest, depth + 1)?;
                }
            }
            Shape::Named(number) => self.skip(self.named.get(*number)?.as_ref()?, rest, depth + 1)?,
        }
        Some(())
    }

    fn skip_blocks(&self, rest: &mut &[u8], skip: impl Fn(&Self, &mut &[u8]) -> Option<()>) -> Option<()> {
        loop {
            match super::super::avro::take_long(rest)? {
                0 => return Some(()),
                // A negative number says that the length of the block follows.
                count @ i64::MIN..0 => {
                    let length = usize::try_from(super::super::avro::take_long(rest)?).ok()?;
                    let _ = count;
                    *rest = rest.get(length..)?;
                }
                count => {
                    for _ in 0..count {
                        let before = rest.len();
                        skip(self, rest)?;
                        // Items of no bytes could be as many as somebody likes to write.
                        if rest.len() == before {
                            break;
                        }
                    }
                }
            }
        }
    }
}
