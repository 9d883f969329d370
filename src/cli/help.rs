//! `flume help`: the overview, the help of a component or a tool, and the pages that belong to none.

use super::{Ended, KINDS, TOOLS, Tool, is_terminal, parts, stage, styled};
use crate::component::nearest;
use crate::exit::{self, StageError};
use clap::builder::StyledStr;
use clap::{CommandFactory, Parser};
use std::collections::BTreeSet;
use std::fmt::Write;

/// The command.
pub const TOOL: Tool = Tool {
    name: "help",
    command: Help::command,
    run,
};

/// Print help: an overview, or about a component, a tool or a topic.
#[derive(Parser)]
#[command(name = "help", bin_name = "flume help", no_binary_name = true)]
struct Help {
    /// A kind and a name ("source exec"), a kind, a tool, "stream-format" or "exit-status".
    #[arg(value_name = "TOPIC")]
    topic: Vec<String>,
}

/// A page that belongs to no component: its word, its sentence, its text.
struct Page {
    name: &'static str,
    sentence: &'static str,
    text: fn() -> String,
}

const PAGES: &[Page] = &[
    Page {
        name: "stream-format",
        sentence: "The bytes between two stages, for who writes a stage in another language.",
        text: || STREAM_FORMAT.to_string(),
    },
    Page {
        name: "exit-status",
        sentence: "What a script can tell from the exit status.",
        text: exit_status,
    },
];

/// The stream format: the source of `flume help stream-format` and of the manual page.
pub const STREAM_FORMAT: &str = include_str!("../../docs/stream-format.md");

/// What a kind of component does.
pub fn about(kind: &str) -> &'static str {
    match kind {
        "source" => "Take events in and write them as a stream.",
        "intercept" => "Change, add or drop events on their way.",
        "select" => "Send each event on to one or several pipelines.",
        "group" => "Take events by several sinks that stand for each other.",
        "channel" => "Hold events between a source and a sink, and answer for them.",
        _ => "Take events from a stream to where they go.",
    }
}

/// How to begin.
pub const BEGIN: &str = "\
flume source stdin < app.log | flume sink logger
flume source exec 'tail -F app.log' | flume channel file ./spool | flume sink file_roll --directory ./out
flume run 'source seq --total-events 1000000 | channel memory | sink null' --summary text
";

fn run(words: &[String]) -> Ended {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        [] => print(&overview()),
        ["--help" | "-h", ..] => clap_help(Help::command()),
        [kind] if KINDS.contains(&kind) => self::kind(kind),
        [kind, name] if KINDS.contains(&kind) => component(kind, name),
        [word] => topic(word),
        [first, ..] => {
            let whole = words.join(" ");
            let sentence = format!("\"{whole}\" is too much: try \"flume help {first}\"");
            Err(StageError::Usage(sentence).into())
        }
    }
}

/// The help of a kind: its components.
pub fn kind(kind: &str) -> Ended {
    let mut text = StyledStr::new();
    let _ = writeln!(text, "{}\n", about(kind));
    heading(&mut text, "Usage:");
    let _ = writeln!(text, " flume {kind} NAME [OPTIONS]\n");
    heading(&mut text, "Names:");
    let _ = writeln!(text);
    let externals = parts::externals(kind);
    let own = parts::table(kind)
        .into_iter()
        .map(|own| (own.name().to_string(), own.sentence()));
    let other = externals
        .into_iter()
        .map(|(name, path)| (name, format!("The executable {}.", path.display())));
    columns(&mut text, own.chain(other).collect());
    let _ = writeln!(text, "\n\"flume {kind} NAME --help\" shows the settings of one.");
    print(&text)
}

fn overview() -> StyledStr {
    let mut text = StyledStr::new();
    let _ = write!(
        text,
        "Collect, buffer, route and deliver events through pipes. An event leaves one stage only when the\n\
         next has taken responsibility for it.\n\n"
    );
    heading(&mut text, "Usage:");
    let _ = write!(
        text,
        " flume KIND NAME [OPTIONS]\n       flume TOOL [ARGUMENTS]\n\n"
    );
    heading(&mut text, "Kinds:");
    let _ = writeln!(text);
    let kinds = KINDS.iter().map(|kind| {
        let names = parts::names(kind).join(", ");
        (kind.to_string(), format!("{}\n{names}", about(kind)))
    });
    columns(&mut text, kinds.collect());
    let _ = writeln!(text);
    heading(&mut text, "Tools:");
    let _ = writeln!(text);
    columns(
        &mut text,
        TOOLS
            .iter()
            .map(|tool| (tool.name.into(), sentence(tool)))
            .collect(),
    );
    let _ = writeln!(text);
    heading(&mut text, "Topics of \"flume help\":");
    let _ = writeln!(text);
    let pages = PAGES.iter().map(|page| (page.name.into(), page.sentence.into()));
    columns(&mut text, pages.collect());
    let _ = writeln!(text);
    heading(&mut text, "To begin:");
    let _ = writeln!(text);
    BEGIN.lines().for_each(|line| {
        let _ = writeln!(text, "  {line}");
    });
    let _ = write!(
        text,
        "\n\"flume KIND --help\" says what each name does, \"flume KIND NAME --help\" what its settings are.\n"
    );
    text
}

/// What a tool does.
pub fn sentence(tool: &Tool) -> String {
    let about = (tool.command)()
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    format!("{}.", about.trim_end_matches('.'))
}

fn component(kind: &str, name: &str) -> Ended {
    match stage::whole_command(kind, name) {
        Some(command) => clap_help(command),
        // It may be an executable of its own, or it is an error with a hint.
        None => stage::command(kind, &[name.to_string(), "--help".to_string()]),
    }
}

fn topic(word: &str) -> Ended {
    if let Some(tool) = TOOLS.iter().find(|tool| tool.name == word) {
        return clap_help((tool.command)());
    }
    if let Some(page) = PAGES.iter().find(|page| page.name == word) {
        return super::print(&(page.text)());
    }
    let kinds: Vec<_> = KINDS
        .iter()
        .filter(|kind| parts::find(kind, word).is_some())
        .collect();
    if let [kind] = kinds[..] {
        return component(kind, word);
    }
    let hint = match kinds[..] {
        [] => near(word),
        _ => {
            let all: Vec<_> = kinds
                .iter()
                .map(|kind| format!("\"flume help {kind} {word}\""))
                .collect();
            format!("there are {}", all.join(" and "))
        }
    };
    Err(StageError::Usage(format!("there is no page \"{word}\"; {hint}")).into())
}

/// Every word that help has something to say about.
pub fn topics() -> Vec<&'static str> {
    let tools = TOOLS.iter().map(|tool| tool.name);
    let pages = PAGES.iter().map(|page| page.name);
    let components = KINDS.iter().flat_map(|kind| parts::names(kind));
    let all = KINDS.iter().copied().chain(tools).chain(pages).chain(components);
    // A name may belong to two kinds, such as a source and a sink.
    all.collect::<BTreeSet<_>>().into_iter().collect()
}

fn near(word: &str) -> String {
    match nearest(word, topics()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => "\"flume help\" shows what there is".to_string(),
    }
}

fn exit_status() -> String {
    let mut text = StyledStr::new();
    let _ = write!(text, "How a stage or a pipeline in one process ends:\n\n");
    let rows = exit::TABLE
        .iter()
        .map(|(status, meaning)| (status.to_string(), meaning.to_string()));
    columns(&mut text, rows.collect());
    let _ = write!(
        text,
        "\nIn a shell pipeline the shell reports the last stage; \"set -o pipefail\" reports the others too.\n\
         A pipe that the next stage closes is no error message, but it is 75 while batches are unaccepted.\n"
    );
    text.to_string()
}

/// What `--help` prints.
fn clap_help(command: clap::Command) -> Ended {
    command.no_binary_name(true).try_get_matches_from(["--help"])?;
    Ok(())
}

fn print(text: &StyledStr) -> Ended {
    super::print(&styled(text, is_terminal()))
}

fn heading(text: &mut StyledStr, words: &str) {
    let style = clap::builder::Styles::default();
    let header = style.get_header();
    let _ = write!(text, "{header}{words}{header:#}");
}

/// Rows of a word and its lines, the lines below each other.
fn columns(text: &mut StyledStr, rows: Vec<(String, String)>) {
    let width = rows.iter().map(|(word, _)| word.len()).max().unwrap_or(0);
    for (word, lines) in rows {
        for (index, line) in lines.lines().enumerate() {
            let word = if index == 0 { word.as_str() } else { "" };
            let _ = writeln!(text, "  {word:width$}  {line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, EventRef};
    use crate::wire::{self, FrameReader, Got, Kind};

    /// The bytes of a block of the page: hexadecimal words at the start of each line.
    fn example(name: &str) -> Vec<u8> {
        let opening = format!("```hex {name}\n");
        let (_, rest) = STREAM_FORMAT.split_once(&opening).expect("the block is there");
        let (block, _) = rest.split_once("```").expect("the block is closed");
        let words = |line: &'static str| {
            let is_byte = |word: &&str| word.len() == 2 && word.bytes().all(|b| b.is_ascii_hexdigit());
            line.split(' ')
                .take_while(is_byte)
                .map(|word| u8::from_str_radix(word, 16).unwrap())
        };
        block.lines().flat_map(words).collect()
    }

    fn hello() -> Event {
        Event::new("hello")
            .with_header("host", "web1")
            .with_header("day", "25")
    }

    #[test]
    fn event_of_the_page_is_what_its_text_says() {
        let bytes = example("event");
        let (event, used) = EventRef::decode(&bytes).unwrap();
        assert_eq!((event.to_event(), used), (hello(), 26));
        assert_eq!(crate::event::Batch::single(&hello()).encoded()[..], bytes[..]);
    }

    #[test]
    fn frames_of_the_page_are_what_their_text_says() {
        let bytes = [example("batch"), example("accept")].concat();
        let mut frames = FrameReader::new(&bytes[..], wire::LIMIT);
        let Got::Frame(batch) = frames.next().unwrap() else {
            panic!("no batch");
        };
        assert_eq!((batch.header.kind, batch.header.sequence), (Kind::Batch, 1));
        assert_eq!(batch.header.crc, 0xd7e8_e5a4);
        let batch = batch.batch().unwrap();
        let events: Vec<_> = batch.events().map(|event| event.unwrap().to_event()).collect();
        assert_eq!(events, [hello()]);
        let Got::Frame(accept) = frames.next().unwrap() else {
            panic!("no accept");
        };
        assert_eq!((accept.header.kind, accept.header.sequence), (Kind::Accept, 1));
        assert!(matches!(frames.next().unwrap(), Got::Eof));
        assert_eq!(wire::crc32c(b"123456789"), 0xe306_9283);
    }
}
