//! Java's regular expressions, read and put into the words of the `regex` crate.
//!
//! Every character is read, and what is written means the same or is not written at all: a construct that the
//! crate cannot do, or that Java would read in another way, is refused by name and position. What differs
//! though both know it is put in Java's meaning:
//!
//! | Java | written as |
//! |---|---|
//! | `\d \w \s`, `\p{Alpha}` and the other POSIX classes | the ASCII sets that they are without `(?U)` |
//! | `.` | anything but the line ends `\n \r U+0085 U+2028 U+2029`; anything at all under `(?s)` |
//! | `^` | the start of the text |
//! | `$`, `\Z` | the end; the engine also tries it before a final line end |
//! | `\b`, `\B` | of Unicode words, as Java 8 to 18 have them, on which Flume ran; since 19 they are ASCII |
//! | `(?i)` | both cases of ASCII letters; of all letters under `(?iu)` |
//! | `(?U)` | the classes and `\b` of Unicode, and `(?u)` |
//! | `(?x)` | blanks and what follows `#` on a line are not there, in classes, too |
//! | `(?d)` | `.` is anything but `\n`; there may be no `$` |
//! | `(?m)` | nothing without `^` and `$`; with `(?d)` these stand at each `\n`, else they are refused |
//! | `\R` | `\r\n` or one line end |
//! | `[a-z&&[^m]]`, `[a[b-d]]` | intersection and union of classes |
//! | `\Q..\E`, `\0nn`, `\cX`, `\uhhhh`, `\h`, `\v`, `\e` | the characters |

mod class;
mod escape;
mod lines;

use super::PatternError;

/// A pattern in the crate's words.
pub(super) struct Translated {
    pub(super) text: String,
    /// It has a `$` or `\Z`, which also stand before a final line end.
    pub(super) ends: bool,
}

const DIGIT: &str = "0-9";
const WORD: &str = "a-zA-Z_0-9";
const SPACE: &str = r" \t\n\x0B\f\r";
const HORIZONTAL: &str = r" \t\x{A0}\x{1680}\x{180E}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}";
const VERTICAL: &str = r"\n\x0B\f\r\x{85}\x{2028}\x{2029}";

/// Java's POSIX classes (java.util.regex.Pattern, "US-ASCII only").
const POSIX: &[(&str, &str)] = &[
    ("Lower", "a-z"),
    ("Upper", "A-Z"),
    ("ASCII", r"\x00-\x7F"),
    ("Alpha", "a-zA-Z"),
    ("Digit", DIGIT),
    ("Alnum", "a-zA-Z0-9"),
    ("Punct", r"!-/:-@\x5B-`\x7B-~"),
    ("Graph", "!-~"),
    ("Print", " -~"),
    ("Blank", r" \t"),
    ("Cntrl", r"\x00-\x1F\x7F"),
    ("XDigit", "0-9a-fA-F"),
    ("Space", SPACE),
];

/// What the same names are under `(?U)`, where the crate can say it.
const UNICODE: &[(&str, &str)] = &[
    ("Lower", r"\p{Lowercase}"),
    ("Upper", r"\p{Uppercase}"),
    ("ASCII", r"\x00-\x7F"),
    ("Alpha", r"\p{Alphabetic}"),
    ("Digit", r"\p{Nd}"),
    ("Alnum", r"\p{Alphabetic}\p{Nd}"),
    ("Punct", r"\p{P}"),
    ("Blank", r"\p{Zs}\t"),
    ("Cntrl", r"\p{Cc}"),
    ("XDigit", r"\p{Nd}\p{Hex_Digit}"),
    ("Space", r"\p{White_Space}"),
];
const UNICODE_WORD: &str = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}";

/// The questions that `java.lang.Character` answers.
const CHARACTER: &[(&str, &str)] = &[
    ("javaLowerCase", r"\p{Lowercase}"),
    ("javaUpperCase", r"\p{Uppercase}"),
    ("javaTitleCase", r"\p{Lt}"),
    ("javaAlphabetic", r"\p{Alphabetic}"),
    ("javaLetter", r"\p{L}"),
    ("javaDigit", r"\p{Nd}"),
    ("javaLetterOrDigit", r"\p{L}\p{Nd}"),
    ("javaSpaceChar", r"\p{Z}"),
    (
        "javaWhitespace",
        r"\t-\r\x1C-\x20\x{1680}\x{2000}-\x{2006}\x{2008}-\x{200A}\x{205F}\x{3000}\p{Zl}\p{Zp}",
    ),
    ("javaISOControl", r"\x00-\x1F\x7F-\x9F"),
];

/// Put a Java pattern into the crate's words.
pub(super) fn translate(pattern: &str) -> Result<Translated, PatternError> {
    let mut reader = Reader {
        chars: pattern.chars().collect(),
        ..Reader::default()
    };
    while let Some(c) = reader.peek() {
        reader.element(c)?;
    }
    if let Some(open) = reader.open.last() {
        return Err(PatternError::new(
            "a group that is never closed",
            open.at,
            "add \")\"",
        ));
    }
    reader.end_branch()?;
    if let (Some(at), Some(_)) = (reader.line_ends, reader.ends) {
        return Err(PatternError::new(
            "\"$\" of a line and one of the text",
            at,
            "use one of them",
        ));
    }
    if let (Some(at), Some(_)) = (reader.ends, reader.very_end) {
        return Err(PatternError::new("both \"$\" and \\z", at, "use one of them"));
    }
    Ok(Translated {
        ends: reader.ends.is_some(),
        text: reader.out,
    })
}

#[derive(Clone, Copy, Default)]
struct Flags {
    /// `(?i)`.
    any_case: bool,
    /// `(?u)`.
    unicode_case: bool,
    /// `(?s)`.
    dot_all: bool,
    /// `(?U)`.
    unicode: bool,
    /// `(?x)`.
    comments: bool,
    /// `(?d)`.
    unix_lines: bool,
    /// `(?m)`.
    lines: bool,
}

/// A group that is open: where, and the flags outside.
struct Open {
    at: usize,
    flags: Flags,
}

#[derive(Default)]
struct Reader {
    chars: Vec<char>,
    at: usize,
    out: String,
    flags: Flags,
    open: Vec<Open>,
    /// What was read last can be repeated.
    repeatable: bool,
    /// A `$` was read last: the pattern may not go on behind it.
    behind_end: bool,
    /// Where the first `$` or `\Z` stands.
    ends: Option<usize>,
    /// Where `\z` stands.
    very_end: Option<usize>,
    /// Each `^` of a line in a branch that is not over: where it stands, what was written before, and in how many groups.
    line_starts: Vec<(usize, usize, usize)>,
    /// Where the first `$` of a line stands.
    line_ends: Option<usize>,
}

/// What an escape stands for.
enum Escaped {
    Char(char),
    Set { body: String, negated: bool },
}

type Read<T> = Result<T, PatternError>;

impl Reader {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn eat(&mut self, word: &str) -> bool {
        let found = self.chars[self.at..]
            .iter()
            .copied()
            .take(word.len())
            .eq(word.chars());
        if found {
            self.at += word.len();
        }
        found
    }

    /// What is refused stands at `at`.
    fn refuse<T>(&self, at: usize, what: &str, instead: &str) -> Read<T> {
        Err(PatternError::new(what, at, instead))
    }

    /// Under `(?x)`: go over blanks and a comment.
    fn skip_comments(&mut self) -> bool {
        let start = self.at;
        while self.flags.comments {
            match self.peek() {
                Some(' ' | '\t' | '\n' | '\x0B' | '\x0C' | '\r') => self.at += 1,
                Some('#') => {
                    let is_end = |c: &char| "\n\r\u{85}\u{2028}\u{2029}".contains(*c);
                    let rest = &self.chars[self.at..];
                    self.at += rest.iter().position(is_end).unwrap_or(rest.len());
                }
                _ => break,
            }
        }
        self.at > start
    }

    fn element(&mut self, c: char) -> Read<()> {
        if self.skip_comments() {
            return Ok(());
        }
        let at = self.at;
        if self.behind_end && !matches!(c, '|' | ')' | '$' | '*' | '+' | '?' | '{') {
            return self.refuse(
                at,
                "something behind \"$\"",
                "\"$\" stands at the end of a branch",
            );
        }
        match c {
            '*' | '+' | '?' | '{' => return self.quantifier(c),
            '\\' => return self.escape(),
            _ => self.at += 1,
        }
        self.repeatable = !"|(^$".contains(c);
        match c {
            '|' => self.branch()?,
            '(' => self.group(at)?,
            ')' => self.close(at)?,
            '[' => self.class(at)?,
            '.' if self.flags.dot_all => self.out.push_str("(?s:.)"),
            '.' if self.flags.unix_lines => self.out.push_str(r"[^\n]"),
            '.' => self.out.push_str(r"[^\n\r\x{85}\x{2028}\x{2029}]"),
            '^' => self.start(at)?,
            '$' => self.end(at)?,
            c => self.literal(c),
        }
        Ok(())
    }

    fn branch(&mut self) -> Read<()> {
        self.end_branch()?;
        self.behind_end = false;
        self.out.push('|');
        Ok(())
    }

    fn end(&mut self, at: usize) -> Read<()> {
        if self.flags.lines {
            self.line_feeds_alone(at, "$")?;
            self.line_ends.get_or_insert(at);
            self.out.push_str("(?m:$)");
            return Ok(());
        }
        self.end_of_text(at)
    }

    /// Also before a final line end.
    fn end_of_text(&mut self, at: usize) -> Read<()> {
        if self.flags.unix_lines {
            return self.refuse(at, "\"$\" under (?d)", "write (?:\\n)?\\z");
        }
        self.ends.get_or_insert(at);
        self.behind_end = true;
        self.out.push_str(r"\z");
        Ok(())
    }

    fn literal(&mut self, c: char) {
        match (self.flags.any_case, self.flags.unicode_case) {
            (true, true) => self.out.push_str(&format!("(?i:{})", quoted(c))),
            (true, false) if c.is_ascii_alphabetic() => {
                self.out
                    .extend(['[', c.to_ascii_lowercase(), c.to_ascii_uppercase(), ']']);
            }
            _ => self.out.push_str(&quoted(c)),
        }
    }

    fn quantifier(&mut self, c: char) -> Read<()> {
        let at = self.at;
        self.at += 1;
        if !self.repeatable {
            let what = format!("\"{c}\" with nothing before it to repeat");
            return self.refuse(at, &what, &format!("write \"\\{c}\" for the character"));
        }
        match c {
            '{' => self.counted(at)?,
            c => self.out.push(c),
        }
        match self.peek() {
            Some('?') => {
                self.at += 1;
                self.out.push('?');
            }
            Some('+') => {
                let what = "a possessive quantifier";
                return self.refuse(at, what, "leave the last \"+\" out");
            }
            _ => {}
        }
        self.repeatable = false;
        Ok(())
    }

    /// Behind the `{` of a counted repetition.
    fn counted(&mut self, at: usize) -> Read<()> {
        let end = self.chars[self.at..].iter().position(|c| *c == '}');
        let inner: String = match end {
            Some(end) => self.chars[self.at..self.at + end].iter().collect(),
            None => String::new(),
        };
        let (least, most) = inner.split_once(',').unwrap_or((&inner, ""));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(least) || !(most.is_empty() || is_number(most)) {
            return self.refuse(
                at,
                "\"{\" that begins no {n}, {n,} or {n,m}",
                "write \"\\{\" for the character",
            );
        }
        self.at += inner.len() + 1;
        self.out.push_str(&format!("{{{inner}}}"));
        Ok(())
    }

    fn group(&mut self, at: usize) -> Read<()> {
        let outer = self.flags;
        if !self.eat("?") {
            self.out.push('(');
        } else if self.eat("<=") || self.eat("<!") || self.eat("=") || self.eat("!") {
            let what = "lookaround (a group that begins with (?=, (?!, (?<= or (?<!)";
            return self.refuse(
                at,
                what,
                "match the text itself and capture the part that is wanted",
            );
        } else if self.eat(">") {
            return self.refuse(at, "an atomic group (?>", "write \"(?:\"");
        } else if self.eat("<") || self.eat("P<") {
            let name = self.name(at)?;
            self.out.push_str(&format!("(?P<{name}>"));
        } else if self.eat(":") {
            self.out.push_str("(?:");
        } else if self.flag_words(at)? {
            return Ok(());
        }
        self.open.push(Open { at, flags: outer });
        Ok(())
    }

    /// The name of a group, behind its `<`.
    fn name(&mut self, at: usize) -> Read<String> {
        let mut name = String::new();
        while let Some(c) = self.next() {
            if c == '>' && !name.is_empty() {
                return Ok(name);
            }
            let fits =
                c.is_ascii_alphabetic() || (!name.is_empty() && c.is_ascii_digit()) || "_.".contains(c);
            if !fits || name.starts_with('.') {
                break;
            }
            name.push(c);
        }
        self.refuse(
            at,
            "a group whose name is not letters, digits, \"_\" and \".\"",
            "write \"(?<name>\"",
        )
    }

    /// `i-s)` or `i-s:`, behind `(?`. True when it was no group but flags for the rest.
    fn flag_words(&mut self, at: usize) -> Read<bool> {
        let mut on = true;
        let mut flags = self.flags;
        loop {
            match self.next() {
                Some('-') if on => on = false,
                Some('i') => flags.any_case = on,
                Some('u') => flags.unicode_case = on,
                Some('s') => flags.dot_all = on,
                Some('x') => flags.comments = on,
                Some('d') => flags.unix_lines = on,
                Some('U') => {
                    flags.unicode = on;
                    flags.unicode_case = on;
                }
                Some(')') => {
                    self.flags = flags;
                    self.repeatable = false;
                    return Ok(true);
                }
                Some(':') => {
                    self.flags = flags;
                    self.out.push_str("(?:");
                    return Ok(false);
                }
                Some('m') => flags.lines = on,
                _ => return self.refuse(at, "a group that begins with (? in no known way", "write \"(?:\""),
            }
        }
    }

    fn close(&mut self, at: usize) -> Read<()> {
        self.end_branch()?;
        let Some(open) = self.open.pop() else {
            return self.refuse(at, "\")\" without a \"(\"", "write \"\\)\" for the character");
        };
        self.flags = open.flags;
        self.behind_end = false;
        self.out.push(')');
        Ok(())
    }
}

/// The crate's name of a property that means the same in Java: general categories by their short names, and
/// what Java calls `Is...` (categories, scripts, binary properties).
fn crates_property(name: &str) -> Option<&str> {
    let is_word = |name: &str| {
        name.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    match name.strip_prefix("Is") {
        Some(word) if !word.is_empty() && is_word(word) => Some(word),
        _ if name.split_once('=').is_some_and(|(kind, word)| {
            matches!(kind, "script" | "sc" | "general_category" | "gc") && is_word(word)
        }) =>
        {
            Some(name)
        }
        _ if matches!(name.len(), 1 | 2)
            && name != "L1"
            && name.starts_with(|c: char| "LMNPZSC".contains(c)) =>
        {
            is_word(name).then_some(name)
        }
        _ => None,
    }
}

/// A character as itself, wherever it stands.
fn quoted(c: char) -> String {
    match c {
        c if c.is_ascii_alphanumeric() || c == ' ' || c == '_' => c.to_string(),
        c => format!("\\x{{{:X}}}", u32::from(c)),
    }
}
