//! `^` and `$` under `(?m)`, where they stand at lines.

use super::{Read, Reader};

impl Reader {
    pub(super) fn start(&mut self, at: usize) -> Read<()> {
        if !self.flags.lines {
            self.out.push_str(r"\A");
            return Ok(());
        }
        self.line_feeds_alone(at, "^")?;
        self.out.push_str("(?m:^)");
        self.line_starts.push((at, self.out.len(), self.open.len()));
        Ok(())
    }

    /// Java has five line ends and the crate has not.
    pub(super) fn line_feeds_alone(&self, at: usize, sign: &str) -> Read<()> {
        match self.flags.unix_lines {
            true => Ok(()),
            false => {
                let what = format!("\"{sign}\" under (?m)");
                self.refuse(at, &what, "(?md) can be used, for lines that end with \\n alone")
            }
        }
    }

    /// A `^` of a line is none at the very end, where the crate has one: behind it there has to be a character.
    pub(super) fn end_branch(&mut self) -> Read<()> {
        let depth = self.open.len();
        while let Some((at, from, _)) = self.line_starts.pop_if(|(.., own)| *own == depth) {
            let rest = regex_syntax::ParserBuilder::new()
                .utf8(false)
                .build()
                .parse(&self.out[from..]);
            let least = rest.ok().and_then(|rest| rest.properties().minimum_len());
            if least.unwrap_or(0) == 0 {
                let what = "\"^\" under (?md) with what may be empty behind it";
                return self.refuse(
                    at,
                    what,
                    "something that takes a character has to follow, such as \".\"",
                );
            }
        }
        Ok(())
    }
}
