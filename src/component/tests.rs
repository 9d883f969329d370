//! Flags, properties and pages say the same.

use super::*;

#[test]
fn flags_are_properties_in_kebab_case() {
    let cases = [
        ("batchSize", "batch-size"),
        ("useIP", "use-ip"),
        ("codeC", "codec"),
        ("hdfs.codeC", "codec"),
        ("logStdErr", "log-std-err"),
        ("sink.rollInterval", "roll-interval"),
        ("sink.pathManager.prefix", "path-manager-prefix"),
        ("max-line-length", "max-line-length"),
        ("schemaURL", "schema-url"),
        ("serializers.*", "serializers"),
    ];
    for (property, flag) in cases {
        assert_eq!(flag_of(property), flag);
    }
}

#[test]
fn nearest_word_is_near() {
    assert_eq!(nearest("stdn", ["stdin", "exec"]), Some("stdin"));
    assert_eq!(nearest("kafka", ["stdin", "exec"]), None);
}

#[derive(clap::Args, Debug, PartialEq)]
struct Sample {
    /// What is run.
    #[arg(id = "command", value_name = "COMMAND")]
    command: String,
    /// Events in a batch.
    #[arg(long, id = "batchSize", default_value = "20")]
    batch_size: u32,
    /// Whether.
    #[arg(long, id = "ackEvery", default_value = "true")]
    ack_every: bool,
    /// Members.
    #[arg(long = "serializer", id = "serializers.*")]
    serializer: Vec<crate::value::Pair>,
}

const SAMPLE: Spec<Sample> = Spec::new::<Sample>("sample", made::<Sample>)
    .positional("command")
    .shell(&[("batchSize", "1000")]);

fn flags(words: &[&str]) -> Sample {
    let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
    SAMPLE.from_flags(&words).unwrap()
}

#[test]
fn error_of_a_component_calls_a_setting_as_who_made_it_did() {
    const SPEC: Spec<Sample> = Spec::new::<Sample>("sample", |_| {
        let why = "the property batchSize is missing, the property command is, and the property none of ours";
        Err(setting_error(format!("sample: {why}")))
    });
    let said = |error: clap::Error| error.to_string();
    assert_eq!(
        said(SPEC.from_flags(&["x".into()]).unwrap_err()).trim_end(),
        "error: sample: --batch-size is missing, COMMAND is, and the property none of ours"
    );
    let given = BTreeMap::from([("command".to_string(), "x".to_string())]);
    let said = said(SPEC.from_properties(&given).unwrap_err());
    assert!(
        said.contains("the property batchSize is missing, the property command is"),
        "{said}"
    );
}

#[test]
fn flags_properties_and_the_positional_say_the_same() {
    let one = flags(&["tail -F x", "--ack-every=false", "--serializer", "s1.name=day"]);
    let two = flags(&[
        "--command",
        "tail -F x",
        "--ack-every=false",
        "--serializer=s1.name=day",
    ]);
    assert_eq!(one, two);
    assert_eq!(one.batch_size, 1000);
    let properties = [
        ("command", "tail -F x"),
        ("ackEvery", "no"),
        ("serializers.s1.name", "day"),
        ("batchSize", "1000"),
    ];
    let properties = properties
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .into();
    assert_eq!(SAMPLE.from_properties(&properties).unwrap(), one);
    assert!(flags(&["x", "--ack-every"]).ack_every);
}

#[test]
fn pages_see_property_flag_defaults_and_sentence() {
    let settings = SAMPLE.settings();
    let [command, batch, every, members] = &settings[..] else {
        panic!("{settings:?}");
    };
    assert!(command.required && command.flag.is_none());
    assert_eq!(batch.flag.as_deref(), Some("batch-size"));
    assert_eq!(
        (batch.default.as_deref(), batch.flumes.as_deref()),
        (Some("1000"), Some("20"))
    );
    assert_eq!(
        (every.value.as_deref(), every.default.as_deref()),
        (Some("true|false"), Some("true"))
    );
    assert_eq!(
        (members.property.as_str(), members.required),
        ("serializers.*", false)
    );
    assert_eq!(batch.sentence, "Events in a batch.");
}

#[test]
fn property_that_is_not_known_is_an_error_with_a_hint() {
    let given = [("command", "x"), ("batchSise", "1")];
    let given = given
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .into();
    let error = SAMPLE.from_properties(&given).unwrap_err().to_string();
    assert!(
        error.contains("batchSise") && error.contains("batchSize"),
        "{error}"
    );
}

#[test]
fn parsed_words_are_the_properties_that_say_the_same() {
    let words = |words: &[&str]| -> Vec<String> { words.iter().map(|word| word.to_string()).collect() };
    let given = words(&["tail -F x", "--ack-every=false", "--serializer", "s1.name=a=b"]);
    let command = SAMPLE.command().no_binary_name(true);
    let matches = command.try_get_matches_from(&given).unwrap();
    let properties = SAMPLE.properties(&matches);
    let shown: Vec<_> = properties
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let expected = [
        "ackEvery=false",
        "batchSize=1000",
        "command=tail -F x",
        "serializers.s1.name=a=b",
    ];
    assert_eq!(shown, expected);
    assert_eq!(
        SAMPLE.from_properties(&properties).unwrap(),
        SAMPLE.from_flags(&given).unwrap()
    );
}

#[test]
fn words_are_quoted_for_a_shell_where_they_have_to_be() {
    let cases = [
        ("plain-1.x", "plain-1.x"),
        ("", "''"),
        ("a b", "'a b'"),
        ("it's", "'it'\\''s'"),
        ("@c1", "'@c1'"),
        ("a#b", "'a#b'"),
    ];
    for (word, expected) in cases {
        assert_eq!(quoted(word), expected);
    }
    let words = cases.map(|(word, _)| word);
    let text = words.map(quoted).join(" ");
    assert_eq!(unquoted(&text).collect::<Vec<_>>(), words);
    let lenient: Vec<_> = unquoted(r" a\.b 'open \ ").collect();
    assert_eq!(lenient, [r"a\.b", r"open \ "]);
}
