//! Markdown to a manual page: as much of both as our own pages use.
//!
//! Headings, paragraphs, lists of one level, fenced blocks and tables; in a line `code` and **strong**.

use std::fmt::Write;

/// A whole page. The first heading of the text says what it is.
pub fn page(name: &str, section: &str, markdown: &str) -> String {
    let mut page = format!("'\\\" t\n{}.SH NAME\n", title(name, section));
    let mut lines = markdown.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix("# ") {
            let _ = writeln!(page, "{name} \\- {}\n.SH DESCRIPTION", inline(title));
        } else if let Some(title) = line.strip_prefix("## ") {
            let _ = writeln!(page, ".SH \"{}\"", inline(&title.to_uppercase()));
        } else if let Some(title) = line.strip_prefix("### ") {
            let _ = writeln!(page, ".SS \"{}\"", inline(title));
        } else if line.starts_with("```") {
            let inside: Vec<&str> = lines
                .by_ref()
                .take_while(|line| !line.starts_with("```"))
                .collect();
            let _ = writeln!(page, "{}", block(&inside.join("\n")));
        } else if line.starts_with('|') {
            let mut rows = vec![line];
            while let Some(row) = lines.next_if(|line| line.starts_with('|')) {
                rows.push(row);
            }
            page.push_str(&table(&rows));
        } else if let Some(item) = line.strip_prefix("- ") {
            let _ = writeln!(page, ".IP \\(bu 2\n{}", inline(item));
        } else if line.is_empty() {
            let is_item = lines.peek().is_some_and(|next| next.starts_with("- "));
            page.push_str(if is_item { "" } else { ".PP\n" });
        } else {
            let _ = writeln!(page, "{}", inline(line.trim_start()));
        }
    }
    page.replace(".SH DESCRIPTION\n.PP\n", ".SH DESCRIPTION\n")
        .replace(".PP\n.SH", ".SH")
        .replace(".PP\n.SS", ".SS")
}

/// How a page begins. No date: it would change without need.
pub fn title(name: &str, section: &str) -> String {
    format!(".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n.TH {name} {section} \"\" flume \"flume manual\"\n")
}

/// A block whose lines stay as they are.
pub fn block(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(escaped).collect();
    format!(".PP\n.RS 4\n.nf\n{}\n.fi\n.RE\n.PP", lines.join("\n"))
}

/// A line of text with its `code` and **strong** words.
pub fn inline(text: &str) -> String {
    let mut out = String::new();
    let mut is_code = false;
    for part in text.split_inclusive('`') {
        let word = part.strip_suffix('`');
        let piece = escaped(word.unwrap_or(part));
        let piece = if is_code { piece } else { strong(&piece) };
        out.push_str(&piece);
        if word.is_some() {
            is_code = !is_code;
            out.push_str(if is_code { "\\fB" } else { "\\fR" });
        }
    }
    // A control character at the start of a line would begin a request.
    match out.starts_with(['.', '\'']) {
        true => format!("\\&{out}"),
        false => out,
    }
}

fn strong(text: &str) -> String {
    let parts: Vec<&str> = text.split("**").collect();
    let pairs = parts.iter().enumerate().map(|(index, part)| match index % 2 {
        0 => part.to_string(),
        _ => format!("\\fB{part}\\fR"),
    });
    pairs.collect()
}

fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    match text.starts_with(['.', '\'']) {
        true => format!("\\&{text}"),
        false => text,
    }
}

/// A Markdown table for tbl: the last column is set as paragraphs.
fn table(rows: &[&str]) -> String {
    let cells = |row: &str| -> Vec<String> {
        let row = row.trim().trim_matches('|').replace("\\|", "\u{1}");
        row.split('|')
            .map(|cell| inline(cell.trim()).replace('\u{1}', "|"))
            .collect()
    };
    let is_rule = |row: &&&str| row.chars().all(|c| matches!(c, '|' | '-' | ' ' | ':'));
    let body: Vec<Vec<String>> = rows
        .iter()
        .filter(|row| !is_rule(row))
        .map(|row| cells(row))
        .collect();
    let width = body.first().map_or(1, Vec::len);
    let mut out = format!(
        ".PP\n.TS\ntab(\u{9});\n{}\n",
        vec!["l"; width - 1].join(" ") + " lx."
    );
    for row in body {
        let (last, first) = match row.split_last() {
            Some((last, first)) => (last.clone(), first.join("\t")),
            None => continue,
        };
        let _ = writeln!(out, "{first}\tT{{\n{last}\nT}}");
    }
    out + ".TE\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_roff_would_read_are_escaped() {
        assert_eq!(inline("a `b-c` **d** \\"), "a \\fBb\\-c\\fR \\fBd\\fR \\e");
        assert_eq!(inline(".profile"), "\\&.profile");
        assert!(block("'quoted").contains("\n\\&'quoted\n"));
    }

    #[test]
    fn markdown_becomes_a_page() {
        let text = "# what it is\n\nFirst.\n\n## Part one\n\n- a\n- b\n\n| x | y |\n|---|---|\n| 1 | a \\| b |\n\n```\n.code\n```\n";
        let page = page("sample", "5", text);
        for part in [
            "'\\\" t\n.ie \\n(.g",
            ".TH sample 5 \"\" flume",
            ".SH NAME\nsample \\- what it is\n",
            ".SH \"PART ONE\"\n",
            ".IP \\(bu 2\na\n.IP \\(bu 2\nb\n",
            "l lx.\nx\tT{\ny\nT}\n1\tT{\na | b\nT}\n.TE\n",
            ".nf\n\\&.code\n.fi\n",
        ] {
            assert!(page.contains(part), "{part:?} is missing in\n{page}");
        }
    }
}
