//! Regular expressions: what is found is what Java 17 finds, in a table of cases and in thousands that are made up.

use super::{Question, java};
use flume::pattern::{Pattern, Template};

const CASES: &[(&str, &str)] = &[
    (r"^(\S+) (\S+) \[(\d+)\]: (.*)$", "web1 sshd [42]: hello\n"),
    (r"(\d{4})-(\d\d?)", "on 2026-3 and 2026-11"),
    (r"(?i)error|warn", "Error WARN error"),
    (r"(?<a>\w+)=(?<b>\w*)", "k=v x= =y"),
    (r"\d+|\p{Alpha}+", "\u{663}7 ab\u{e9}c"),
    (r"\s+\S", "a \t\u{a0}b \u{2003}c"),
    (r"[a-z&&[^m-p]]+", "abmnopqr"),
    (r"[a-d[m-p]x]+", "admpxq"),
    (r"[\w&&[^\d_]]+", "ab_1cd"),
    (r"[a-z&&def]+", "abcdefg"),
    (r"[^\d\s]+", "a1 b2"),
    (r"[-a]+|[a\-z]+|[]x]", "-a-z]x"),
    (r"\Qa.b\E+", "a.bbb axb"),
    (r"\x41\u00e9\0101\cA\t\e", "A\u{e9}A\x01\t\x1b"),
    (r"a$|b\Z", "b a\r\n"),
    (r"a\z|b", "ab a"),
    (r"x*", "axxb"),
    (r"(a)|(b)|(c)?", "cab"),
    (r"(?s)a.b", "a\nb a\u{2028}b"),
    (r"a.b", "a\nb a\u{85}b axb"),
    (r"(?d)a.b", "a\rb a\nb"),
    (r"(?x) a  b # c", "ab"),
    (r"(?x)[a b]+", "a b"),
    (r"(?U)\w+", "\u{e9}t\u{e9} \u{663}"),
    (r"(?U)\d\s\p{Punct}", "\u{663}\u{2003}\u{bf}"),
    (r"(?iu)\u00e9", "\u{c9}\u{e9}"),
    (r"(?i)k", "K\u{212a}k"),
    (r"\R", "a\r\nb\u{85}"),
    (r"\h+\H|\v\V", "a \tb\nc"),
    (r"\p{Lu}\p{L}*", "\u{c9}cole"),
    (r"\p{IsLatin}+\P{IsLatin}", "ab\u{3b1}"),
    (r"\p{javaLowerCase}\p{javaUpperCase}\p{javaWhitespace}", "aB\t"),
    (r"\p{script=Greek}+|\p{gc=Nd}", "\u{3b1}\u{3b2}7"),
    (r"a{2}b{1,}c{0,2}?", "aabbcc"),
    (r"(a+)(a*?)b", "aaab"),
    (r"(?:ab|a)(?:bc|c)", "abc"),
    (r"\bfoo\b|\Bar", "foo bar foobar"),
    (r"^", "a"),
    (r"", "ab"),
    (r"(a|ab)(c|bcd)(d*)", "abcd"),
    (r"\p{Punct}+", "a!b\"#"),
    (r"[\p{Lower}&&[^aeiou]]+", "hello"),
    (r"[[a-c][x-z]]+", "bxq"),
    (r"(?m)b.c", "a\nbxc"),
    (r"(?md)^b", "a\nb"),
    (r"(?md)^b", "a\r\u{85}\u{2028}b"),
    (r"(?md)a$", "ba\r a\r\n a\nb"),
    (r"(?md)$", "a\n\nb\n"),
    (r"(?md)^\n", "\n\na\n"),
    (r"(?md)^(\w+)=(\w*)$", "a=1 \nb=2\nc=\n"),
    (r"(?md)^(?:(a)|b+)c?$\n^.", "ac\nbbc\nx"),
    (r"(?md)x|^y|z$", "z\ny\n"),
    (r"(?md:^a)|^b", "c\nb\na"),
    (r"(?mdi)(?:^ab?)+", "A\nab\n"),
];

/// The first match as Java tells it: offsets in UTF-16.
fn told(pattern: &mut Pattern, text: &str) -> String {
    if !pattern.find(text.as_bytes()) {
        return String::new();
    }
    let utf16 = |at: usize| text[..at].encode_utf16().count();
    let groups = (0..=pattern.group_count()).map(|group| match pattern.group(group) {
        Some(range) => format!("{}-{}", utf16(range.start), utf16(range.end)),
        None => "none".into(),
    });
    groups.collect::<Vec<_>>().join(" ")
}

fn replaced(pattern: &mut Pattern, text: &str) -> String {
    let template = Template::new("<$0>", pattern).unwrap();
    let mut out = Vec::new();
    match pattern.replace_all(text.as_bytes(), &template, &mut out) {
        true => String::from_utf8(out).unwrap(),
        false => text.to_string(),
    }
}

/// The same first match with its groups, and the same after each was replaced. How many patterns both take.
fn check(cases: &[(String, String)]) -> usize {
    let mut questions = Vec::new();
    for (pattern, text) in cases {
        questions.push(Question::of("find", &[pattern, text]));
        questions.push(Question::of("replace", &[pattern, text, "<$0>"]));
        questions.push(Question::of("matches", &[pattern, text]));
    }
    let answers = java(&questions).unwrap_or_default();
    let (mut both, mut differ) = (0, Vec::new());
    for ((source, text), javas) in cases.iter().zip(answers.chunks(3)) {
        let Ok(mut pattern) = source.parse::<Pattern>() else {
            continue;
        };
        let Ok(found) = &javas[0] else {
            differ.push(format!("{source:?}: only we take it; Java says {:?}", javas[0]));
            continue;
        };
        both += 1;
        let whole = Pattern::whole(source)
            .unwrap()
            .is_match(text.as_bytes())
            .to_string();
        let ours = [told(&mut pattern, text), replaced(&mut pattern, text), whole];
        let first = found.lines().next().unwrap_or_default().to_string();
        let theirs = [first, javas[1].clone().unwrap(), javas[2].clone().unwrap()];
        if ours != theirs {
            differ.push(format!("{source:?} in {text:?}: ours {ours:?}, Java {theirs:?}"));
        }
    }
    assert!(
        differ.is_empty(),
        "{} differ: {:#?}",
        differ.len(),
        &differ[..differ.len().min(30)]
    );
    both
}

#[test]
fn table_of_cases_is_matched_as_java_matches_it() {
    for (pattern, _) in CASES {
        pattern
            .parse::<Pattern>()
            .unwrap_or_else(|error| panic!("{pattern}: {error}"));
    }
    let cases: Vec<_> = CASES
        .iter()
        .map(|(pattern, text)| (pattern.to_string(), text.to_string()))
        .collect();
    check(&cases);
}

fn pick(state: &mut u64, pieces: &[&str], most: u64) -> String {
    let mut next = || {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        *state >> 33
    };
    (0..next() % (most + 1))
        .map(|_| pieces[next() as usize % pieces.len()])
        .collect()
}

/// The same for patterns in which `^` and `$` stand at each line feed.
#[test]
fn patterns_of_lines_that_are_made_up_match_as_in_java() {
    const PIECES: &[&str] = &[
        "a",
        "b",
        "ab",
        ".",
        "\\w",
        "\\n",
        "[ab]",
        "[^a]",
        "(a)",
        "(b|a)",
        "(?:ab)",
        "(.)",
        "*",
        "+",
        "?",
        "|",
        "^",
        "^",
        "$",
        "$",
        "(?:^a|b$)",
        "\\Z",
        "\\s",
        "(?s)",
    ];
    const TEXTS: &[&str] = &["a", "b", "ab", "\n", "\n", "\r\n", "\u{85}", "\u{2028}", " "];
    let mut state: u64 = 7;
    let mut pick = |pieces: &[&str], most: u64| pick(&mut state, pieces, most);
    let cases: Vec<_> = (0..6000)
        .map(|_| (format!("(?md){}", pick(PIECES, 6)), pick(TEXTS, 8)))
        .collect();
    let both = check(&cases);
    assert!(both == 0 || both > 1500, "only {both} patterns are taken by both");
}

/// Pieces of patterns and of texts, put together by a generator that always begins in the same way.
#[test]
fn patterns_that_are_made_up_match_as_in_java() {
    const PIECES: &[&str] = &[
        "a",
        "b",
        "ab",
        ".",
        "\\d",
        "\\w",
        "\\s",
        "\\S",
        "\\W",
        "[ab]",
        "[^a]",
        "[a-c1]",
        "(a)",
        "(b|a)",
        "(?:ab)",
        "(.)",
        "(a*)",
        "*",
        "+",
        "?",
        "*?",
        "+?",
        "??",
        "{2}",
        "{1,2}",
        "|",
        "^",
        "$",
        "\\b",
        "\\B",
        "(?i)",
        "(?s)",
        "(?x)",
        "(?U)",
        " ",
        "\\.",
        "\\Q.\\E",
        "\\p{L}",
        "\\P{Alpha}",
        "[a&&[ab]]",
        "[b[1-3]]",
        "\\A",
        "\\z",
        "\\Z",
        "\\R",
        "1",
        "\u{e9}",
        "[\\d-x]",
        "#",
    ];
    const TEXTS: &[&str] = &[
        "a", "b", "ab", " ", "1", ".", "\n", "\r\n", "\u{e9}", "A", "x", "-", "#",
    ];
    let mut state: u64 = 42;
    let mut pick = |pieces: &[&str], most: u64| pick(&mut state, pieces, most);
    let cases: Vec<_> = (0..6000).map(|_| (pick(PIECES, 6), pick(TEXTS, 8))).collect();
    let both = check(&cases);
    assert!(both == 0 || both > 1500, "only {both} patterns are taken by both");
}
