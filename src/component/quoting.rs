//! Words with quotes around them, as a shell has them.

/// A word as it stands for a shell, quoted if it has to be.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-+=.,:/@%^~".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) && !word.starts_with(['~', '@']) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// Words as [`quoted`] writes them, with blanks in between: single quotes and backslashes as in sh. What is open at the
/// end is closed.
pub fn unquoted(text: &str) -> impl Iterator<Item = String> {
    let (mut words, mut word, mut is_quoted) = (Vec::new(), None::<String>, false);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            _ if is_quoted => word.get_or_insert_default().push(c),
            '\\' if chars.as_str().starts_with('\'') => word.get_or_insert_default().extend(chars.next()),
            c if c.is_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words.into_iter()
}
