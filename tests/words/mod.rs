//! Words of properties that Java gives their meaning mean the same here: a real JDK, Joda-Time and Flume's own path
//! escapes answer the same questions (`tests/peers/flume/words`).

mod charsets;
mod dates;
mod paths;
mod patterns;

use crate::avro::real::{is_there, peer};
use std::io::Write;
use std::process::{Command, Stdio};

/// One question: a word, and its arguments.
pub struct Question(String);

impl Question {
    pub fn new(word: &str, arguments: &[&[u8]]) -> Question {
        let arguments = arguments.iter().map(|argument| format!("\t{}", hex(argument)));
        Question(format!("{word}{}\n", arguments.collect::<String>()))
    }

    pub fn of(word: &str, arguments: &[&str]) -> Question {
        let arguments: Vec<&[u8]> = arguments.iter().map(|argument| argument.as_bytes()).collect();
        Question::new(word, &arguments)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    let pairs = pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
    pairs.collect()
}

/// What Java says to each, an error being its reason; nothing where there is no Java, which is told.
pub fn java(questions: &[Question]) -> Option<Vec<Result<String, String>>> {
    if !is_there() {
        return None;
    }
    let mut child = Command::new(peer("words"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let all: String = questions.iter().map(|question| question.0.as_str()).collect();
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(all.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let answers = text.lines().map(|line| match line.strip_prefix('!') {
        Some(why) => Err(why.to_string()),
        None => Ok(String::from_utf8(unhex(line)).unwrap()),
    });
    let answers: Vec<_> = answers.collect();
    assert_eq!(answers.len(), questions.len());
    Some(answers)
}
