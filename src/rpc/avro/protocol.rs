//! The protocol's text and hash, and whether another text encodes what is said in the same way.
//!
//! A peer may know the protocol by another text: without the comment, with other names for what does not
//! matter, with some messages only. Avro would resolve the two; here a peer whose events, parameters or results
//! have another encoding is refused by a sentence, and all others need no resolving.

use super::CallError;
use serde_json::Value;

/// The protocol as Flume 1.9 to 1.11 send it, to the byte: its MD5 is [`HASH`]. The licence in it is the comment
/// of Flume's definition, which became a part of the text, so that without it the hash would be another.
pub const TEXT: &str = include_str!("protocol.json");

/// By which all Java clients know it.
pub const HASH: [u8; 16] = [
    0x86, 0xaa, 0xda, 0xe2, 0xc4, 0x54, 0x74, 0xc0, 0xfe, 0x93, 0xff, 0xd0, 0xf2, 0x35, 0x0a, 0x65,
];

/// Bytes that a peer's text may have at most.
pub const MAX_TEXT: usize = 1 << 20;

/// What of a peer's protocol matters for a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shape {
    /// It expects no answer to `append`.
    pub append_is_one_way: bool,
    /// It expects no answer to `appendBatch`.
    pub append_batch_is_one_way: bool,
}

/// Look whether a protocol's text encodes what it shares with ours as ours does.
pub fn shape(text: &str) -> Result<Shape, CallError> {
    let misfit = |why: String| CallError::Protocol(why);
    if text.len() > MAX_TEXT {
        return Err(misfit(format!("its text has {} bytes", text.len())));
    }
    let protocol: Value =
        serde_json::from_str(text).map_err(|error| misfit(format!("its text is no JSON: {error}")))?;
    let types = Types(protocol["types"].as_array().map_or(&[], Vec::as_slice));
    let mut shape = Shape::default();
    if let Some(append) = protocol["messages"].get("append") {
        let event = parameter(append, "append").map_err(misfit)?;
        types.check_event(event).map_err(misfit)?;
        shape.append_is_one_way = types.check_result(append, "append").map_err(misfit)?;
    }
    if let Some(batch) = protocol["messages"].get("appendBatch") {
        let events = types.resolve(parameter(batch, "appendBatch").map_err(misfit)?);
        if kind(events) != "array" {
            return Err(misfit("the parameter of appendBatch is no array".into()));
        }
        types.check_event(&events["items"]).map_err(misfit)?;
        shape.append_batch_is_one_way = types.check_result(batch, "appendBatch").map_err(misfit)?;
    }
    Ok(shape)
}

/// The one parameter of a message.
fn parameter<'a>(message: &'a Value, name: &str) -> Result<&'a Value, String> {
    match message["request"].as_array().map(Vec::as_slice) {
        Some([one]) => Ok(&one["type"]),
        _ => Err(format!("{name} has not one parameter")),
    }
}

/// The named types of a protocol.
struct Types<'a>(&'a [Value]);

impl<'a> Types<'a> {
    /// What a name stands for; other types stand for themselves.
    fn resolve(&self, value: &'a Value) -> &'a Value {
        let Some(name) = value.as_str() else { return value };
        let fits = |named: &&Value| {
            named["name"]
                .as_str()
                .is_some_and(|known| bare(known) == bare(name))
        };
        self.0.iter().find(fits).unwrap_or(value)
    }

    fn check_event(&self, value: &'a Value) -> Result<(), String> {
        let event = self.resolve(value);
        let fields = event["fields"].as_array().map(Vec::as_slice);
        let Some([headers, body]) = fields.filter(|_| kind(event) == "record") else {
            return Err("an event is no record of headers and body".into());
        };
        let map = self.resolve(&headers["type"]);
        let fits = headers["name"] == "headers"
            && body["name"] == "body"
            && kind(map) == "map"
            && kind(&map["values"]) == "string"
            && kind(&body["type"]) == "bytes";
        match fits {
            true => Ok(()),
            false => Err("an event is no record of headers, a map of strings, and body, bytes".into()),
        }
    }

    /// The result of a message must be ours; says whether there is none.
    fn check_result(&self, message: &'a Value, name: &str) -> Result<bool, String> {
        if message["one-way"] == true {
            return Ok(true);
        }
        let status = self.resolve(&message["response"]);
        let symbols = status["symbols"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let known = symbols.iter().zip(["OK", "FAILED", "UNKNOWN"]);
        match kind(status) == "enum"
            && symbols.len() >= 2
            && known.fold(true, |so_far, (a, b)| so_far && a == b)
        {
            true => Ok(false),
            false => Err(format!("the result of {name} is no status")),
        }
    }
}

/// A name without its namespace.
fn bare(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// The word for what a type is: `{"type": "string", ...}` is a string as "string" is.
fn kind(value: &Value) -> &str {
    let word = value.as_str().or_else(|| value["type"].as_str());
    word.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use md5::{Digest, Md5};

    #[test]
    fn text_is_the_one_that_the_hash_is_of() {
        assert_eq!(Md5::digest(TEXT).as_slice(), HASH);
        assert_eq!(shape(TEXT), Ok(Shape::default()));
    }

    #[test]
    fn protocol_with_another_text_and_the_same_encoding_fits() {
        let mut other: Value = serde_json::from_str(TEXT).unwrap();
        other.as_object_mut().unwrap().remove("doc");
        assert_eq!(shape(&other.to_string()), Ok(Shape::default()));
        let string = serde_json::json!({"type": "string", "avro.java.string": "String"});
        other["types"][1]["fields"][0]["type"]["values"] = string;
        other["messages"]["append"]["request"][0]["type"] =
            "org.apache.flume.source.avro.AvroFlumeEvent".into();
        other["messages"].as_object_mut().unwrap().remove("appendBatch");
        assert_eq!(shape(&other.to_string()), Ok(Shape::default()));
        other["messages"]["append"]["one-way"] = true.into();
        other["messages"]["append"]["response"] = "null".into();
        assert!(shape(&other.to_string()).unwrap().append_is_one_way);
    }

    #[test]
    fn protocol_with_another_encoding_is_refused_by_a_sentence() {
        let changed = |change: &dyn Fn(&mut Value)| {
            let mut other: Value = serde_json::from_str(TEXT).unwrap();
            change(&mut other);
            shape(&other.to_string()).unwrap_err().to_string()
        };
        let swapped = changed(&|it| it["types"][1]["fields"].as_array_mut().unwrap().reverse());
        assert!(swapped.contains("an event is no record"), "{swapped}");
        let single =
            changed(&|it| it["messages"]["appendBatch"]["request"][0]["type"] = "AvroFlumeEvent".into());
        assert!(single.contains("no array"), "{single}");
        let none = changed(&|it| it["messages"]["append"]["request"] = Value::Null);
        assert!(none.contains("not one parameter"), "{none}");
        let answer = changed(&|it| it["types"][0]["symbols"][0] = "FAILED".into());
        assert!(answer.contains("no status"), "{answer}");
        assert!(shape("{").unwrap_err().to_string().contains("no JSON"));
        assert!(shape(&" ".repeat(MAX_TEXT + 1)).is_err());
        assert_eq!(shape("{}"), Ok(Shape::default()));
    }
}
