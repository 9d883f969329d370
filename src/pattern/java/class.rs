//! Classes of characters, and classes in them.

use super::{Escaped, Read, Reader, quoted};

impl Reader {
    /// A class, behind its `[` at `at`.
    pub(super) fn class(&mut self, at: usize) -> Read<()> {
        let set = self.class_set(at)?;
        match self.flags.any_case && self.flags.unicode_case {
            true => self.out.push_str(&format!("(?i:{set})")),
            false => self.out.push_str(&set),
        }
        Ok(())
    }

    /// A class or one inside of it, up to its `]`, in the crate's words.
    pub(super) fn class_set(&mut self, at: usize) -> Read<String> {
        let mut set = String::from("[");
        let negated = self.eat("^");
        if negated {
            set.push('^');
        }
        // What stands on one side of `&&`: how much, and whether classes are among it.
        let (mut operand, mut nested, mut intersected) = (0, false, false);
        loop {
            self.skip_comments();
            let here = self.at;
            match self.peek() {
                None => return self.refuse(at, "a class that is never closed", "add \"]\""),
                Some(']') if operand > 0 => break,
                Some('[') => {
                    if negated || (intersected && operand > 0) {
                        let what = "a class beside other characters in a class that is negated or behind &&";
                        return self.refuse(here, what, "write one class");
                    }
                    self.at += 1;
                    let inner = self.class_set(here)?;
                    set.push_str(&inner);
                    nested = true;
                }
                Some('&') if self.chars.get(here + 1) == Some(&'&') => {
                    if negated || operand == 0 || self.chars.get(here + 2).is_none_or(|c| "&]".contains(*c)) {
                        let what = "&& in a negated class, or with nothing beside it";
                        return self.refuse(here, what, "write the characters out");
                    }
                    self.at += 2;
                    set.push_str("&&");
                    (operand, nested, intersected) = (0, false, true);
                    continue;
                }
                Some(_) if nested && intersected => {
                    let what = "a class beside other characters behind &&";
                    return self.refuse(here, what, "write one class");
                }
                Some(_) => self.class_piece(&mut set, here)?,
            }
            operand += 1;
        }
        self.at += 1;
        set.push(']');
        Ok(set)
    }

    /// A character, a range, a quotation or a class by its escape.
    pub(super) fn class_piece(&mut self, set: &mut String, here: usize) -> Read<()> {
        let ascii_case = self.flags.any_case && !self.flags.unicode_case;
        if self.eat("\\Q") {
            let quotation = self.quotation();
            quotation
                .into_iter()
                .for_each(|c| push_range(set, c, c, ascii_case));
            return Ok(());
        }
        match self.class_item()? {
            Escaped::Char(low) => {
                let high = self.range_end(low, here)?;
                push_range(set, low, high, ascii_case);
            }
            Escaped::Set { body, negated: true } => set.push_str(&format!("[^{body}]")),
            Escaped::Set { body, .. } => set.push_str(&body),
        }
        Ok(())
    }

    pub(super) fn class_item(&mut self) -> Read<Escaped> {
        let at = self.at;
        match self.next() {
            Some('\\') => self.escaped(at),
            Some(c) => Ok(Escaped::Char(c)),
            None => self.refuse(at, "a class that is never closed", "add \"]\""),
        }
    }

    /// The other end of a range that begins with `low`, or `low` itself.
    pub(super) fn range_end(&mut self, low: char, at: usize) -> Read<char> {
        if self.peek() != Some('-') || matches!(self.chars.get(self.at + 1), None | Some(']')) {
            return Ok(low);
        }
        self.at += 1;
        if self.peek() == Some('[') {
            return self.refuse(self.at, "a class in a class", "write one class, or \"\\[\"");
        }
        match self.class_item()? {
            Escaped::Char(high) if low <= high => Ok(high),
            _ => self.refuse(
                at,
                "a range whose end is not behind its start",
                "write \"\\-\" for the character",
            ),
        }
    }
}

/// A range inside a class, with the other case of its ASCII letters where asked.
fn push_range(set: &mut String, low: char, high: char, both_cases: bool) {
    set.push_str(&quoted(low));
    if low != high {
        set.push('-');
        set.push_str(&quoted(high));
    }
    if both_cases {
        for (first, last) in [('a', 'z'), ('A', 'Z')] {
            let (low, high) = (low.max(first), high.min(last));
            if low <= high {
                let other = |c: char| char::from(c as u8 ^ 0x20);
                push_range(set, other(low), other(high), false);
            }
        }
    }
}
