//! The words of `run`: the shell's, without anything being expanded.

/// Cut a pipeline into stages and these into words: single and double quotes and backslash as in sh, `|`
/// between stages, `#` comments; a line end is a blank.
///
/// Errors: a sentence that says where it went wrong.
pub fn stages(text: &str) -> Result<Vec<Vec<String>>, String> {
    let mut stages = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut chars = text.char_indices().peekable();
    let end_word = |word: &mut Option<String>, stages: &mut Vec<Vec<String>>| {
        if let (Some(word), Some(stage)) = (word.take(), stages.last_mut()) {
            stage.push(word);
        }
    };
    while let Some((at, c)) = chars.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => end_word(&mut word, &mut stages),
            '|' => {
                end_word(&mut word, &mut stages);
                stages.push(Vec::new());
            }
            '#' if word.is_none() => while chars.next_if(|(_, c)| *c != '\n').is_some() {},
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some((_, '\'')) => break,
                        Some((_, c)) => word.push(c),
                        None => {
                            return Err(format!("the single quote at character {} is not closed", at + 1));
                        }
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some((_, '"')) => break,
                        Some((_, '\\')) => match chars.next() {
                            Some((_, c @ ('"' | '\\' | '$' | '`'))) => word.push(c),
                            Some((_, '\n')) => {}
                            Some((_, c)) => word.extend(['\\', c]),
                            None => {
                                return Err(format!(
                                    "the double quote at character {} is not closed",
                                    at + 1
                                ));
                            }
                        },
                        Some((_, c)) => word.push(c),
                        None => {
                            return Err(format!("the double quote at character {} is not closed", at + 1));
                        }
                    }
                }
            }
            '\\' => match chars.next() {
                Some((_, '\n')) => {}
                Some((_, c)) => word.get_or_insert_default().push(c),
                None => return Err("the text ends behind a backslash".into()),
            },
            c => word.get_or_insert_default().push(c),
        }
    }
    end_word(&mut word, &mut stages);
    if stages.len() == 1 && stages[0].is_empty() {
        return Ok(Vec::new());
    }
    match stages.iter().position(Vec::is_empty) {
        Some(empty) => Err(format!(
            "stage {} of {} is empty: a \"|\" stands alone",
            empty + 1,
            stages.len()
        )),
        None => Ok(stages),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&[&str]]) {
        assert_eq!(stages(text).unwrap(), expected, "{text}");
    }

    #[test]
    fn words_are_the_shells() {
        check("source seq | sink null", &[&["source", "seq"], &["sink", "null"]]);
        check(
            "a 'b | c' \"d \\\" $e\" f\\ g",
            &[&["a", "b | c", "d \" $e", "f g"]],
        );
        check("a # all of it\n| b#c ''", &[&["a"], &["b#c", ""]]);
        check("a \\\n b\n", &[&["a", "b"]]);
        check(" # nothing\n", &[]);
    }

    #[test]
    fn what_is_not_closed_is_said_with_its_place() {
        assert!(stages("a 'b").unwrap_err().contains("character 3"));
        assert!(stages("a | | b").unwrap_err().contains("stage 2 of 3"));
        assert!(stages("a |").is_err());
        assert!(stages("a \\").is_err());
    }
}
