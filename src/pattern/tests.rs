//! What Java does, case by case, and that nothing panics.

use super::*;
use proptest::prelude::*;

fn pattern(source: &str) -> Pattern {
    source.parse().unwrap_or_else(|error| panic!("{source}: {error}"))
}

/// The first match of `source` in `text`: all groups, `-` for one that took no part.
fn check(source: &str, text: impl AsRef<[u8]>, expected: &[&str]) {
    let (mut pattern, text) = (pattern(source), text.as_ref());
    let found = pattern.find(text);
    assert_eq!(
        found,
        pattern.clone().is_match(text),
        "{source} find and is_match differ"
    );
    let groups: Vec<String> = match found {
        false => Vec::new(),
        true => (0..=pattern.group_count())
            .map(|group| match pattern.group(group) {
                Some(range) => crate::event::shown(&text[range]).into_owned(),
                None => "-".into(),
            })
            .collect(),
    };
    assert_eq!(groups, expected, "{source} in {}", crate::event::shown(text));
}

fn check_replaced(source: &str, template: &str, text: &[u8], expected: &[u8]) {
    let mut pattern = pattern(source);
    let template = Template::new(template, &pattern).unwrap();
    let mut out = Vec::new();
    if !pattern.replace_all(text, &template, &mut out) {
        out = text.to_vec();
    }
    assert_eq!(out, expected, "{source}");
}

#[test]
fn short_classes_are_ascii_as_in_java() {
    check(r"\d+", "\u{0663}7", &["7"]);
    check(r"\w+", "\u{e9}a_1", &["a_1"]);
    check(r"[\w-]+", "\u{e9}a-b", &["a-b"]);
    check(r"\S+", "a\u{a0}b c", &["a\u{a0}b"]);
    check(r"[^\s\d]+", "12 ab3", &["ab"]);
    check(r"[\D]", "1x", &["x"]);
    check(r"\p{Alpha}+\p{Punct}", "\u{e9}ab]", &["ab]"]);
    check(
        r"\P{L}\pL\p{Lu}\p{IsLatin}",
        "1\u{e9}\u{c9}a",
        &["1\u{e9}\u{c9}a"],
    );
    check(r"\h\v", "\u{3000}\u{2028}", &["\u{3000}\u{2028}"]);
}

#[test]
fn a_dot_stops_at_every_line_end_of_java() {
    for end in ["\n", "\r", "\u{85}", "\u{2028}", "\u{2029}"] {
        check("a.", format!("a{end}"), &[]);
        check(
            "(?s)a.",
            format!("a{end}"),
            &[&crate::event::shown(format!("a{end}").as_bytes())],
        );
        check("(?s:a)b.", format!("ab{end}"), &[]);
    }
}

#[test]
fn a_dollar_stands_before_a_final_line_end() {
    for end in ["", "\n", "\r\n", "\r", "\u{85}", "\u{2028}"] {
        check("^(.*)$", format!("abc{end}"), &["abc", "abc"]);
        check(r"c\Z", format!("abc{end}"), &["c"]);
        check("^(a$|b$)", format!("b{end}"), &["b", "b"]);
    }
    check("c$", "c\n\n", &[]);
    check(r"c\z", "c\n", &[]);
    check(r"c\s*$", "c\n", &["c\\n"]);
    check("^a", "b\na", &[]);
}

#[test]
fn case_is_that_of_ascii_unless_told() {
    check("(?i)stra\u{df}e [k-m]", "STRA\u{df}E L", &["STRA\u{df}E L"]);
    check("(?i)\u{e9}", "\u{c9}", &[]);
    check("(?iu)\u{e9}", "\u{c9}", &["\u{c9}"]);
    check("(?i)k", "\u{212a}", &[]);
    check("a(?i:b)c", "aBC aBc", &["aBc"]);
    check("(a(?i)b|c)d", "CD Cd", &["Cd", "C"]);
}

#[test]
fn escapes_are_their_characters() {
    check(
        r"\x41\x{1F600}\u00e9\ud83d\ude00\0101\cA\e\a\t",
        "A\u{1F600}\u{e9}\u{1F600}A\x01\x1b\x07\t",
        &["A\u{1F600}\u{e9}\u{1F600}A\\u{1}\\u{1b}\\u{7}\\t"],
    );
    check(r"\Qa.b\E+", "a.bb", &["a.bb"]);
    check(r"[\Q^-]\E]+", "]-^", &["]-^"]);
    check(r"[]a\-z]+", "-z]", &["-z]"]);
    check(r"\[(\w{2,})?\]\.", "[].", &["[].", "-"]);
    check(r"a{2}}\/\-", "aa}/-", &["aa}/-"]);
}

#[test]
fn classes_are_put_together_as_in_java() {
    check("[a-z&&[^m-p]]+", "mabq", &["abq"]);
    check("[a-d[m-p]]+", "xadmpz", &["admp"]);
    check(r"[\w&&\D]+", "12ab_3", &["ab_"]);
    check("[[:alpha:]]+", "x:alp", &[":alp"]);
}

#[test]
fn flags_do_what_java_says() {
    check("(?x) a b # and so on\n [c d] +", "abcd cd", &["abcd"]);
    check(r"(?U)\w+\d", "-\u{e9}\u{663}", &["\u{e9}\u{663}"]);
    check("(?d)a.", "a\r", &["a\\r"]);
    check(r"a\Rb", "a\r\nb", &["a\\r\\nb"]);
    check(
        r"\p{javaUpperCase}\p{script=Greek}",
        "\u{c9}\u{3b1}",
        &["\u{c9}\u{3b1}"],
    );
}

#[test]
fn groups_may_have_java_names_and_pythons() {
    let pattern = pattern(r"(?<day>\d+)(x)(?P<host_name>\w+)");
    assert_eq!(
        pattern.names().collect::<Vec<_>>(),
        [(1, "day"), (3, "host_name")]
    );
    assert_eq!(pattern.group_count(), 3);
}

#[test]
fn what_java_reads_differently_is_refused_by_name_and_place() {
    let cases = [
        ("a++", "possessive", 2),
        ("a{2}+", "possessive", 2),
        ("ab(?=c)", "lookaround", 3),
        ("(?<!c)", "lookaround", 1),
        ("(?>a)", "atomic", 1),
        (r"(a)\1", "back-reference", 4),
        (r"\k<a>", "back-reference", 1),
        (r"\G", r"\G", 1),
        (r"\X", r"\X", 1),
        (r"\p{javaMirrored}", "javaMirrored", 1),
        (r"\p{InGreek}", "InGreek", 1),
        ("[^a&&b]", "&&", 4),
        ("[^a[b]]", "class beside", 4),
        ("[a&&b[c]]", "class beside", 6),
        ("(?m)^a", "\"^\" under (?m)", 5),
        ("(?m)a$", "\"$\" under (?m)", 6),
        (
            "(?md)^a*",
            "\"^\" under (?md) with what may be empty behind it",
            6,
        ),
        ("(?md)a|(?:^|b)c", "what may be empty behind it", 11),
        ("(?md:a$)|b$", "\"$\" of a line and one of the text", 7),
        ("(?d)a$", "(?d)", 6),
        ("*a", "nothing before it", 1),
        ("a**", "nothing before it", 3),
        ("a{,3}", "\"{\"", 2),
        ("(a", "never closed", 1),
        ("a)", "without", 2),
        ("[a", "never closed", 1),
        ("[z-a]", "range", 2),
        (r"a\", "backslash", 2),
        (r"\p{L", "never closed", 1),
        (r"\xZZ", r"\x", 1),
        (r"\ud83d", r"\u", 1),
        ("a$b", "behind", 3),
        (r"(?<1a>b)", "name", 1),
    ];
    for (source, what, at) in cases {
        let error = source.parse::<Pattern>().unwrap_err().to_string();
        assert!(error.contains(what), "{source}: {error}");
        assert!(
            error.contains(&format!("at character {at} ")),
            "{source}: {error}"
        );
    }
}

#[test]
fn what_the_engine_cannot_compile_is_one_sentence() {
    for source in [r"\p{IsNoSuchThing}", "(?<a>b)(?<a>c)", r"(?:\p{L}{1000}){1000}"] {
        let error = source.parse::<Pattern>().unwrap_err().to_string();
        assert!(
            error.starts_with("the pattern does not compile: "),
            "{source}: {error}"
        );
        assert_eq!(error.lines().count(), 1, "{source}: {error}");
    }
}

#[test]
fn bytes_that_are_no_characters_count_as_one_and_stay() {
    check(r"^caf. (\w+)", b"caf\xe9 au", &["caf\\xe9 au", "au"]);
    check(r"(.)$", b"\xff\xfe", &["\\xfe", "\\xfe"]);
    check_replaced("a", "b", b"\xe9a\xff a", b"\xe9b\xff b");
}

#[test]
fn replacing_goes_on_as_java_does() {
    check_replaced("a*", "X", b"baaac", b"XbXXcX");
    check_replaced("", "-", "a\u{e9}".as_bytes(), "-a-\u{e9}-".as_bytes());
    check_replaced(r"(\d)(x)?", r"<$1$2\$\\>", b"1 2x", br"<1$\> <2x$\>");
    check_replaced(r"(?<a>.)(.)", "$2${a}$13", b"xyz", b"yxx3z");
    check_replaced("^a", "b", b"aaa", b"baa");
}

#[test]
fn replacements_that_name_no_group_are_refused() {
    let pattern = pattern("(a)");
    for (template, what) in [
        ("$2", "$2"),
        ("${b}", "${b}"),
        ("$", "followed by"),
        ("a\\", "backslash"),
    ] {
        let error = Template::new(template, &pattern).unwrap_err();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn splitting_drops_empty_pieces_at_the_end() {
    assert_eq!(pattern(r"\s*,\s*").split("a , b,,c,,"), ["a", "b", "", "c"]);
    assert_eq!(pattern(",").split("a"), ["a"]);
    assert_eq!(pattern("").split("ab"), ["a", "b"]);
}

#[test]
fn a_whole_match_takes_the_longer_branch() {
    let mut whole = Pattern::whole("a|ab").unwrap();
    assert!(whole.is_match(b"ab") && whole.is_match(b"a") && !whole.is_match(b"abc"));
    assert!(
        !Pattern::whole("^.*$").unwrap().is_match(b"a\n"),
        "the line end is left over"
    );
}

#[test]
fn a_match_later_in_the_text_is_found_however_often() {
    let mut pattern = pattern(r"(\d+)");
    for round in 0..3 * START_TRIES {
        assert!(
            pattern.find(b"ab 12") && pattern.group(1) == Some(3..5),
            "{round}"
        );
        assert!(pattern.find(b"7") && pattern.group(1) == Some(0..1), "{round}");
    }
}

proptest! {
    #[test]
    fn any_pattern_is_refused_or_runs_on_any_bytes(
        source in r"[a-z(){}\[\]*+?.|^$\\0-9&,:<>=!ipPQEdwsxuhn-]{0,16}",
        text in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        if let Ok(mut pattern) = source.parse::<Pattern>() {
            if pattern.find(&text) {
                let whole = pattern.group(0).unwrap();
                prop_assert!(whole.end <= text.len());
            }
            let template = Template::new("<$0>", &pattern).unwrap();
            let mut out = Vec::new();
            pattern.replace_all(&text, &template, &mut out);
            pattern.split("a b");
        }
    }

    #[test]
    fn plain_patterns_match_as_the_regex_crate_says(text in "[ab1 -]{0,20}", at in 0..PLAIN.len()) {
        same_as_the_crate(PLAIN[at], &text)?;
    }

    #[test]
    fn patterns_of_steps_match_as_the_regex_crate_says(
        source in r"\^?(\(?[ab ][*+?]?\??\)?|[(](a|[ab]\+|[^a ]\*\?|\[ab\]\{2\}|\[\^ \]\{1,2\}| \?|b)[)]){1,5}\$?",
        text in "[ab ]{0,24}",
    ) {
        same_as_the_crate(&source, &text)?;
    }
}

const PLAIN: &[&str] = &[
    r"(a+)(b*)",
    r"^(\w+) (\d+)?",
    r"(a|b)*?1",
    r"(?:a|(b))+",
    r"(\S+) ?$",
    r"a{2,3}?(b)",
    r"\b(\w)",
    r"([^a ]+)|(a )",
    r"^(a*)(b+?)( ?)",
    r"(a{1,2})(b{2,})1",
    r"^([ab]+) ([^ ]*) (.*)$",
    r"(a??)(b*?) ",
];

/// All groups of the first match are those that the crate finds; patterns that do not compile are passed by.
fn same_as_the_crate(source: &str, text: &str) -> Result<(), TestCaseError> {
    let (Ok(mut own), Ok(other)) = (source.parse::<Pattern>(), regex::Regex::new(source)) else {
        return Ok(());
    };
    let groups = |groups: regex::Captures<'_>| -> Vec<Option<Range<usize>>> {
        groups
            .iter()
            .map(|group| group.map(|group| group.range()))
            .collect()
    };
    let expected = other.captures(text).map(groups);
    let found = own.find(text.as_bytes());
    let found: Option<Vec<_>> =
        found.then(|| (0..=own.group_count()).map(|group| own.group(group)).collect());
    prop_assert_eq!(found, expected, "{} in {:?}", source, text);
    Ok(())
}

#[test]
fn only_patterns_that_need_no_going_back_are_steps() {
    let is_steps = |source: &str| pattern(source).steps.is_some();
    for source in [
        r"^(\S+ \S+) (\w+)\[(\d+)\]: (.*)$",
        r"(\d+)-(\d+)",
        "a?b",
        r"(\w*?):",
        "a{2}a",
    ] {
        assert!(is_steps(source), "{source}");
    }
    for source in [
        r"(.*) (\d+)",
        "a+a",
        "a|bc",
        "(a)?b",
        r"\ba",
        "a+?",
        "b^a",
        "(a*)b?a",
    ] {
        assert!(!is_steps(source), "{source}");
    }
}
