//! The words of `run`: the shell's, without anything being expanded.

/// A stage as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Its words.
    pub words: Vec<String>,
    /// The line that it begins in, from 1.
    pub line: u32,
}

/// Cut one pipeline into stages and these into words: single and double quotes and backslash as in sh, `|`
/// between stages, `#` comments; a line end is a blank.
///
/// Errors: a sentence that says where it went wrong.
pub fn stages(text: &str) -> Result<Vec<Vec<String>>, String> {
    let mut pipelines = pipelines(text)?;
    if pipelines.len() > 1 {
        return Err(format!(
            "there are {} pipelines, apart by \";\", and one belongs there",
            pipelines.len()
        ));
    }
    let stages = pipelines.pop().unwrap_or_default();
    Ok(stages.into_iter().map(|stage| stage.words).collect())
}

/// Cut a text into pipelines at each `;`, and these as [`stages`] does. An empty pipeline is none.
pub fn pipelines(text: &str) -> Result<Vec<Vec<Stage>>, String> {
    let mut cutter = Cutter {
        text,
        chars: text.char_indices().peekable(),
        word: None,
        pipelines: vec![vec![Stage::default()]],
    };
    while let Some((at, c)) = cutter.chars.next() {
        cutter.take(at, c)?;
    }
    cutter.end_word(text.len());
    let pipelines = cutter.pipelines.into_iter();
    let whole =
        pipelines.filter(|stages| stages.len() > 1 || stages.iter().any(|stage| !stage.words.is_empty()));
    whole.map(without_empty).collect()
}

fn without_empty(stages: Vec<Stage>) -> Result<Vec<Stage>, String> {
    match stages.iter().position(|stage| stage.words.is_empty()) {
        Some(empty) => Err(format!(
            "stage {} of {} is empty: a \"|\" stands alone",
            empty + 1,
            stages.len()
        )),
        None => Ok(stages),
    }
}

impl Default for Stage {
    fn default() -> Self {
        Stage {
            words: Vec::new(),
            line: 1,
        }
    }
}

struct Cutter<'t> {
    text: &'t str,
    chars: std::iter::Peekable<std::str::CharIndices<'t>>,
    word: Option<String>,
    pipelines: Vec<Vec<Stage>>,
}

impl Cutter<'_> {
    fn take(&mut self, at: usize, c: char) -> Result<(), String> {
        match c {
            ' ' | '\t' | '\r' | '\n' => self.end_word(at),
            '|' => {
                self.end_word(at);
                if let Some(stages) = self.pipelines.last_mut() {
                    stages.push(Stage::default());
                }
            }
            ';' => {
                self.end_word(at);
                self.pipelines.push(vec![Stage::default()]);
            }
            '#' if self.word.is_none() => while self.chars.next_if(|(_, c)| *c != '\n').is_some() {},
            '\'' => self.single(at)?,
            '"' => self.double(at)?,
            '\\' => match self.chars.next() {
                Some((_, '\n')) => {}
                Some((_, c)) => self.push(c),
                None => return Err("the text ends behind a backslash".into()),
            },
            c => self.push(c),
        }
        Ok(())
    }

    fn push(&mut self, c: char) {
        self.word.get_or_insert_default().push(c);
    }

    /// A word ends before this place.
    fn end_word(&mut self, at: usize) {
        let stage = self.pipelines.last_mut().and_then(|stages| stages.last_mut());
        if let (Some(word), Some(stage)) = (self.word.take(), stage) {
            if stage.words.is_empty() {
                let before = self.text[..at].bytes().filter(|byte| *byte == b'\n').count();
                let inside = word.bytes().filter(|byte| *byte == b'\n').count();
                stage.line = (1 + before.saturating_sub(inside)) as u32;
            }
            stage.words.push(word);
        }
    }

    fn single(&mut self, at: usize) -> Result<(), String> {
        self.word.get_or_insert_default();
        loop {
            match self.chars.next() {
                Some((_, '\'')) => return Ok(()),
                Some((_, c)) => self.push(c),
                None => return Err(format!("the single quote at character {} is not closed", at + 1)),
            }
        }
    }

    fn double(&mut self, at: usize) -> Result<(), String> {
        self.word.get_or_insert_default();
        loop {
            let next = self.chars.next().map(|(_, c)| c);
            match next {
                Some('"') => return Ok(()),
                Some('\\') => match self.chars.next() {
                    Some((_, c @ ('"' | '\\' | '$' | '`'))) => self.push(c),
                    Some((_, '\n')) => {}
                    Some((_, c)) => {
                        self.push('\\');
                        self.push(c);
                    }
                    None => return Err(format!("the double quote at character {} is not closed", at + 1)),
                },
                Some(c) => self.push(c),
                None => return Err(format!("the double quote at character {} is not closed", at + 1)),
            }
        }
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
    fn pipelines_are_apart_and_stages_know_their_lines() {
        let cut = pipelines("a 'x;y' | b;\n\n c;;d \\; #;\n").unwrap();
        let shown: Vec<Vec<(String, u32)>> = cut
            .iter()
            .map(|stages| {
                stages
                    .iter()
                    .map(|stage| (stage.words.join("+"), stage.line))
                    .collect()
            })
            .collect();
        let stage = |words: &str, line| (words.to_string(), line);
        let expected = [
            vec![stage("a+x;y", 1), stage("b", 1)],
            vec![stage("c", 3)],
            vec![stage("d+;", 3)],
        ];
        assert_eq!(shown, expected);
        assert!(stages("a; b").unwrap_err().contains("2 pipelines"));
        assert!(pipelines("a; b |").unwrap_err().contains("stage 2 of 2"));
    }

    #[test]
    fn what_is_not_closed_is_said_with_its_place() {
        assert!(stages("a 'b").unwrap_err().contains("character 3"));
        assert!(stages("a | | b").unwrap_err().contains("stage 2 of 3"));
        assert!(stages("a |").is_err());
        assert!(stages("a \\").is_err());
    }
}
