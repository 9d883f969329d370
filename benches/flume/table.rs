//! The tables that a run prints.

use std::io::Write;

const HEAD: [&str; 6] = ["what", "measured", "reference", "ratio", "budget", "met"];

/// Print text to standard output.
pub fn say(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

/// One line of a table.
pub struct Row {
    cells: [String; 6],
}

impl Row {
    /// What was measured, and what came out in words with units.
    pub fn new(what: impl Into<String>, measured: impl Into<String>) -> Row {
        let mut cells = [const { String::new() }; 6];
        cells[0] = what.into();
        cells[1] = measured.into();
        Row { cells }
    }

    /// What the reference gave in the same run, and measured over reference.
    pub fn against(mut self, reference: impl Into<String>, ratio: f64) -> Row {
        self.cells[2] = reference.into();
        self.cells[3] = format!("{ratio:.2}");
        self
    }

    /// As [`Row::against`], for a ratio that is far below 1.
    pub fn against_finely(self, reference: impl Into<String>, ratio: f64) -> Row {
        let mut row = self.against(reference, ratio);
        row.cells[3] = format!("{ratio:.4}");
        row
    }

    /// Why there is no reference.
    pub fn missing(mut self, why: &str) -> Row {
        self.cells[2] = why.to_string();
        self
    }

    /// `value` should be at least `bound`, which has this unit (or `x` for a ratio).
    pub fn at_least(self, value: f64, bound: f64, unit: &str) -> Row {
        self.budget(format!(">= {bound} {unit}"), value >= bound)
    }

    /// `value` should be at most `bound`.
    pub fn at_most(self, value: f64, bound: f64, unit: &str) -> Row {
        self.budget(format!("<= {bound} {unit}"), value <= bound)
    }

    fn budget(mut self, text: String, met: bool) -> Row {
        let met = if met { "yes" } else { "NO" };
        for (cell, more) in [(4, text.as_str()), (5, met)] {
            if !self.cells[cell].is_empty() {
                self.cells[cell].push_str(", ");
            }
            self.cells[cell].push_str(more.trim_end());
        }
        self
    }
}

/// Print a table with a title, as Markdown that lines up.
pub fn print(title: &str, rows: &[Row]) -> anyhow::Result<()> {
    let mut widths = HEAD.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(&row.cells) {
            *width = (*width).max(cell.len());
        }
    }
    say(&format!("\n### {title}\n"))?;
    say(&line(&HEAD.map(String::from), &widths))?;
    say(&line(&widths.map(|width| "-".repeat(width)), &widths))?;
    rows.iter().try_for_each(|row| say(&line(&row.cells, &widths)))
}

fn line(cells: &[String; 6], widths: &[usize; 6]) -> String {
    let padded = cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| format!(" {cell:width$} |"));
    format!("|{}", padded.collect::<String>())
}
