//! One definition per component: a struct whose fields are its settings.
//!
//! The field gives the flag, the argument's id gives Flume's property, the doc comment gives the sentence.
//! From it come the flag parser, the properties parser, `--help`, the manual, the completions, the README's
//! table and the typo hints. A component is one file and one [`Spec`] in the table of its kind.
//!
//! Flume's default stands in the struct; where a stage in the shell has another, the table line says so.

mod near;
mod quoting;
#[cfg(test)]
mod tests;

pub use near::nearest;
pub use quoting::{quoted, unquoted};

use crate::value::{LITERAL, Secret, Word, flume_bool};
use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use std::any::TypeId;
use std::collections::BTreeMap;

/// One line in the table of a kind.
pub struct Spec<Made: 'static> {
    /// The word on the command line and Flume's `type`.
    pub name: &'static str,
    /// Other names that Flume gives it: class names, older words.
    pub aliases: &'static [&'static str],
    /// The setting that may stand without its flag.
    pub positional: Option<&'static str>,
    /// Settings, by id, whose default in the shell differs from Flume's.
    pub shell: &'static [(&'static str, &'static str)],
    args: fn(Command) -> Command,
    make: fn(&ArgMatches) -> Result<Made, clap::Error>,
}

/// One setting as a page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Flume's property.
    pub property: String,
    /// Older names of it.
    pub aliases: Vec<String>,
    /// The flag without its dashes; `None` for a setting that stands without one.
    pub flag: Option<String>,
    /// What stands for its value; `None` for a switch.
    pub value: Option<String>,
    /// Its flag may also stand alone, so that a value is joined to it by `=`.
    pub may_stand_alone: bool,
    /// There is nothing without it.
    pub required: bool,
    /// The default in the shell.
    pub default: Option<String>,
    /// Flume's default, in an agent, where it differs.
    pub flumes: Option<String>,
    /// The words that it may have, where they are a closed set.
    pub words: Vec<String>,
    /// Nobody shall read its value.
    pub is_secret: bool,
    /// It is several words, which stand quoted in a property.
    pub is_list: bool,
    /// The sentence.
    pub sentence: String,
}

impl Setting {
    fn of(arg: &Arg, shell: &[(&str, &str)]) -> Setting {
        let property = arg.get_id().to_string();
        let is_bool = arg.get_value_parser().type_id() == TypeId::of::<bool>() && !is_switch(arg);
        let mut own = default_of(arg);
        if is_bool {
            own.get_or_insert_with(|| "false".into());
        }
        let in_shell = shell.iter().find(|(id, _)| *id == property);
        let in_shell = in_shell.map(|(_, default)| default.to_string());
        let names = arg.get_value_names().unwrap_or_default();
        let value = match is_bool {
            true => "true|false".to_string(),
            false if names.is_empty() => property.to_uppercase(),
            false => names.join(" "),
        };
        let words = arg.get_possible_values();
        let aliases = arg.get_all_aliases().unwrap_or_default();
        Setting {
            aliases: aliases.into_iter().map(str::to_string).collect(),
            flag: arg.get_long().map(str::to_string),
            value: (is_bool || arg.get_action().takes_values() && !is_switch(arg)).then_some(value),
            may_stand_alone: is_bool || arg.is_require_equals_set(),
            required: arg.is_required_set() && in_shell.is_none(),
            flumes: in_shell.is_some().then(|| own.clone()).flatten(),
            default: in_shell.or(own),
            words: words
                .iter()
                .filter(|_| !is_bool)
                .map(|word| word.get_name().to_string())
                .collect(),
            is_secret: is_secret(arg),
            is_list: is_list(arg),
            sentence: arg.get_help().map(sentence).unwrap_or_default(),
            property,
        }
    }
}

/// Help as a sentence: clap takes the full stop away.
fn sentence(help: &clap::builder::StyledStr) -> String {
    let text = help.to_string();
    match text.ends_with(['.', ':', '?']) || text.is_empty() {
        true => text,
        false => format!("{text}."),
    }
}

fn default_of(arg: &Arg) -> Option<String> {
    let default = arg.get_default_values().first()?;
    Some(default.to_string_lossy().into_owned())
}

/// What makes a component of type `T` from parsed words.
pub type Make<Made> = fn(&ArgMatches) -> Result<Made, clap::Error>;

impl<Made: 'static> Spec<Made> {
    /// A line for the component whose settings are `T`.
    pub const fn new<T: Args>(name: &'static str, make: Make<Made>) -> Self {
        Spec {
            name,
            aliases: &[],
            positional: None,
            shell: &[],
            args: T::augment_args,
            make,
        }
    }

    /// Other names.
    pub const fn also(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// The setting that may stand without its flag: in the struct it has no `long`.
    pub const fn positional(mut self, id: &'static str) -> Self {
        self.positional = Some(id);
        self
    }

    /// Defaults in the shell.
    pub const fn shell(mut self, defaults: &'static [(&'static str, &'static str)]) -> Self {
        self.shell = defaults;
        self
    }

    /// The command that draws help, manual and completions, and parses flags.
    pub fn command(&self) -> Command {
        let shell = self.shell;
        (self.args)(Command::new(self.name))
            .disable_help_subcommand(true)
            .mut_args(move |arg| spelled(in_shell(arg, shell)))
    }

    /// Its settings as pages show them, in the order of the struct.
    pub fn settings(&self) -> Vec<Setting> {
        let raw = (self.args)(Command::new(self.name));
        raw.get_arguments()
            .filter(|arg| !arg.is_hide_set())
            .map(|arg| Setting::of(arg, self.shell))
            .collect()
    }

    /// All its settings, also those that are accepted and on no page.
    pub fn all_settings(&self) -> Vec<Setting> {
        let raw = (self.args)(Command::new(self.name));
        raw.get_arguments()
            .map(|arg| Setting::of(arg, self.shell))
            .collect()
    }

    /// What it does, in a sentence.
    pub fn sentence(&self) -> String {
        let raw = (self.args)(Command::new(self.name));
        raw.get_about().map(sentence).unwrap_or_default()
    }

    /// Make the component from words that a command with [`Spec::command`]'s arguments has parsed.
    ///
    /// Errors speak of flags: where a component says "the property NAME", it is called as it is in the shell.
    pub fn from_matches(&self, matches: &ArgMatches) -> Result<Made, clap::Error> {
        (self.make)(matches).map_err(|error| self.in_flags(error))
    }

    fn in_flags(&self, error: clap::Error) -> clap::Error {
        const PROPERTY: &str = "the property ";
        let text = error.render().to_string();
        if !text.contains(PROPERTY) {
            return error;
        }
        let settings = self.settings();
        let called = |id: &str| {
            let setting = settings.iter().find(|setting| setting.property == id)?;
            let flag = setting.flag.as_ref().map(|flag| format!("--{flag}"));
            flag.or(setting.value.clone())
        };
        let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
        let mut parts = text.split(PROPERTY);
        let mut said = parts.next().unwrap_or_default().to_string();
        for part in parts {
            let (id, rest) = part.split_once(' ').unwrap_or((part, ""));
            match called(id) {
                Some(name) => said.extend([&name, " ", rest]),
                None => said.extend([PROPERTY, part]),
            }
        }
        setting_error(said)
    }

    /// As Flume's properties: what was given to a command with [`Spec::command`]'s arguments, and what is the default
    /// in the shell and not Flume's.
    pub fn properties(&self, matches: &ArgMatches) -> BTreeMap<String, String> {
        let raw = (self.args)(Command::new(self.name));
        let is_given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
        let given = raw.get_arguments().filter(|arg| is_given(arg.get_id().as_str()));
        // A default gives way to what was given and does not go with it; written out, it would not.
        let gives_way: Vec<&str> = given
            .flat_map(|arg| raw.get_arg_conflicts_with(arg))
            .map(|arg| arg.get_id().as_str())
            .collect();
        let mut all = BTreeMap::new();
        for arg in raw.get_arguments() {
            let id = arg.get_id().as_str();
            if !is_given(id) {
                let in_shell = self.shell.iter().find(|(own, _)| *own == id);
                let in_shell = in_shell.filter(|_| !gives_way.contains(&id));
                all.extend(in_shell.map(|(_, default)| (id.to_string(), default.to_string())));
                continue;
            }
            let words: Vec<String> = matches
                .get_raw(id)
                .unwrap_or_default()
                .map(|word| word.to_string_lossy().into_owned())
                .collect();
            match id.strip_suffix('*') {
                Some(family) => all.extend(words.iter().map(|word| {
                    let (name, value) = word.split_once('=').unwrap_or((word, ""));
                    (format!("{family}{name}"), value.to_string())
                })),
                None => {
                    all.insert(id.to_string(), one_value(arg, &words));
                }
            }
        }
        all
    }

    /// Make the component from flags.
    pub fn from_flags(&self, words: &[String]) -> Result<Made, clap::Error> {
        let words = self.with_positional(words);
        let matches = self.command().no_binary_name(true).try_get_matches_from(words)?;
        self.from_matches(&matches)
    }

    /// Words in which the flag form of the positional setting is put in its place.
    pub fn with_positional(&self, words: &[String]) -> Vec<String> {
        let Some(id) = self.positional else {
            return words.to_vec();
        };
        let flag = format!("--{}", flag_of(id));
        let with_value = format!("{flag}=");
        let mut out: Vec<String> = Vec::with_capacity(words.len() + 2);
        let mut value = None;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--" {
                out.push(word.clone());
                out.extend(words.by_ref().cloned());
            } else if *word == flag {
                value = words.next().cloned();
            } else if let Some(given) = word.strip_prefix(&with_value) {
                value = Some(given.to_string());
            } else {
                out.push(word.clone());
            }
        }
        if let Some(value) = value {
            if !out.iter().any(|word| word == "--") {
                out.push("--".into());
            }
            out.push(value);
        }
        out
    }

    /// Make the component from Flume's properties: names without the component's own prefix.
    ///
    /// Errors speak of properties. A key that the component does not know is an error with the nearest name.
    pub fn from_properties(&self, given: &BTreeMap<String, String>) -> Result<Made, clap::Error> {
        let command = (self.args)(Command::new(self.name))
            .no_binary_name(true)
            .disable_help_flag(true)
            .mut_args(|arg| {
                let id = arg.get_id().to_string();
                boolean(arg.long(id), true)
            });
        let words: Vec<String> = given
            .iter()
            .flat_map(|(key, value)| properties_as_words(&command, key, value))
            .collect();
        let matches = command.try_get_matches_from(words)?;
        (self.make)(&matches)
    }
}

/// In front of the value of a property that is a secret and says where it is, as on a command line.
pub const PLACE: char = '\u{1}';

/// One property as words: one, or one for each word in it where they are several.
fn properties_as_words(command: &Command, key: &str, value: &str) -> Vec<String> {
    let mut arguments = command.get_arguments();
    match arguments.any(|arg| arg.get_id() == key && is_list(arg)) {
        true => unquoted(value).map(|word| format!("--{key}={word}")).collect(),
        false => vec![property(command, key, value)],
    }
}

fn is_list(arg: &Arg) -> bool {
    arg.get_value_parser().type_id() == TypeId::of::<Word>()
}

/// One property as a word; a member of a family goes to the family's argument.
fn property(command: &Command, key: &str, value: &str) -> String {
    let is_alias = |arg: &&Arg| {
        arg.get_all_aliases()
            .is_some_and(|aliases| aliases.contains(&key))
    };
    let key = match command.get_arguments().find(is_alias) {
        Some(arg) => arg.get_id().as_str(),
        None => key,
    };
    let is_known = command.get_arguments().any(|arg| arg.get_id() == key);
    if !is_known {
        for arg in command.get_arguments() {
            let id = arg.get_id().as_str();
            if let Some(member) = id.strip_suffix('*').and_then(|family| key.strip_prefix(family)) {
                return format!("--{id}={member}={value}");
            }
        }
    }
    let is_own_secret = |arg: &Arg| arg.get_id() == key && is_secret(arg);
    match command.get_arguments().any(is_own_secret) {
        // In a file of settings it may stand itself.
        true => match value.strip_prefix(PLACE) {
            Some(place) => format!("--{key}={place}"),
            None => format!("--{key}={LITERAL}{value}"),
        },
        false => format!("--{key}={value}"),
    }
}

fn is_secret(arg: &Arg) -> bool {
    arg.get_value_parser().type_id() == TypeId::of::<Secret>()
}

/// Several words as the value of one property. Those of a command are words for a shell.
fn one_value(arg: &Arg, words: &[String]) -> String {
    let is_command = words.len() > 1 && arg.get_value_parser().type_id() == TypeId::of::<String>();
    let word = |word: &String| match is_command || is_list(arg) {
        true => quoted(word),
        false if is_secret(arg) => format!("{PLACE}{word}"),
        false => word.clone(),
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// The flag of a property: kebab case without the component's own prefix; a run of capitals is one word and
/// a trailing capital joins its word; dots become dashes.
pub fn flag_of(property: &str) -> String {
    const PREFIXES: &[&str] = &["sink.", "hdfs.", "hive.", "kafka.", "selector.", "processor."];
    let bare = PREFIXES
        .iter()
        .find_map(|prefix| property.strip_prefix(prefix))
        .unwrap_or(property);
    let bare = bare.strip_suffix(".*").unwrap_or(bare);
    let chars: Vec<char> = bare.chars().collect();
    let mut flag = String::new();
    for (index, &c) in chars.iter().enumerate() {
        let previous = index.checked_sub(1).map(|index| chars[index]);
        let next = chars.get(index + 1);
        if c == '.' || c == '_' {
            flag.push('-');
            continue;
        }
        let starts = c.is_uppercase()
            && previous.is_some_and(|p| p != '.' && p != '-')
            && match (previous.is_some_and(char::is_uppercase), next) {
                // inside a run of capitals: only the last one, when a word follows, begins a word
                (true, Some(next)) => next.is_lowercase(),
                (true, None) => false,
                // a single trailing capital joins its word
                (false, None) => false,
                (false, Some(_)) => true,
            };
        if starts {
            flag.push('-');
        }
        flag.extend(c.to_lowercase());
    }
    flag
}

fn in_shell(arg: Arg, shell: &'static [(&'static str, &'static str)]) -> Arg {
    let Some((_, default)) = shell.iter().find(|(id, _)| arg.get_id() == *id) else {
        return arg;
    };
    let flumes = default_of(&arg);
    let arg = arg.default_value(*default).required(false);
    match flumes {
        Some(flumes) => note(arg, &format!("[in an agent: {flumes}]")),
        None => arg,
    }
}

fn note(arg: Arg, more: &str) -> Arg {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    arg.help(format!("{help} {more}"))
}

/// Name the property in the help where it is not the flag's own word; booleans may go without a value. A switch has none.
fn spelled(arg: Arg) -> Arg {
    let id = arg.get_id().to_string();
    if matches!(id.as_str(), "help" | "version") {
        return arg;
    }
    let arg = boolean(arg, false);
    match arg.get_long() {
        Some(long) if long == id => arg,
        None if arg.get_long().is_none() && id == flag_of(&id) => arg,
        _ => note(arg, &format!("[property: {id}]")),
    }
}

/// A word that stands alone: a boolean of ours with `num_args = 0`, which no properties file has.
fn is_switch(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|count| count.max_values() == 0)
}

fn boolean(arg: Arg, as_flume: bool) -> Arg {
    if is_switch(&arg) && !as_flume {
        return arg;
    }
    if arg.get_value_parser().type_id() != TypeId::of::<bool>() {
        return arg;
    }
    let default = default_of(&arg);
    let arg = arg
        .action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .value_name("true|false")
        .default_value(default.unwrap_or_else(|| "false".into()));
    match as_flume {
        true => arg.value_parser(|word: &str| Ok::<bool, String>(flume_bool(word))),
        false => arg
            .hide_possible_values(true)
            .value_parser(clap::value_parser!(bool)),
    }
}

/// A closed set of words for a setting, matched in any case as Flume does.
pub fn words(words: &'static [&'static str]) -> PossibleValuesParser {
    PossibleValuesParser::new(words)
}

/// Make `T` itself from parsed words, for [`Spec::new`].
pub fn made<T: FromArgMatches>(matches: &ArgMatches) -> Result<T, clap::Error> {
    T::from_arg_matches(matches)
}

/// An error of a setting that only the component can see, in clap's form.
pub fn setting_error(what: impl std::fmt::Display) -> clap::Error {
    clap::Error::raw(ErrorKind::ValueValidation, format!("{what}\n"))
}

/// What is said of words that are no number, as one says it to somebody who does not write programs.
pub fn plainly(text: &str) -> String {
    text.replace("invalid digit found in string", "it is no whole number")
        .replace(
            "cannot parse integer from empty string",
            "it is empty, where a whole number belongs",
        )
        .replace("number too large to fit in target type", "it is too large")
        .replace("invalid float literal", "it is no number")
}

/// What clap says in paragraphs, in one line and without what is not about the error.
pub fn in_one_line(error: &clap::Error) -> String {
    let message = plainly(&error.render().to_string());
    let message = message.strip_prefix("error: ").unwrap_or(&message);
    let lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut out = String::new();
    for line in lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more")) {
        match out.as_bytes().last() {
            None => {}
            Some(b':') => out.push(' '),
            Some(_) => out.push_str("; "),
        }
        out.push_str(line);
    }
    out
}

/// The line of a table with this name, in any case, or one of its other names.
pub fn find<Made>(table: &'static [Spec<Made>], name: &str) -> Option<&'static Spec<Made>> {
    table.iter().find(|spec| {
        let mut names = std::iter::once(&spec.name).chain(spec.aliases);
        names.any(|own| own.eq_ignore_ascii_case(name))
    })
}
