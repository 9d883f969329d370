//! Any words in the table and the index of a running channel, as a disk with faults may give them: whoever attaches
//! gets frames or an error, and never dies.
#![no_main]

use flume::channel::file::{FileChannel, Role};
use flume::channel::{Channel, Taken};
use flume_fuzz::{config, left_channel};
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Instant;

/// Bytes of a change: the file, the word in it, its new value.
const CHANGE: usize = 11;

/// A channel that was just left: its directory, and the files of its data and its table.
struct Template {
    directory: PathBuf,
    files: Vec<(PathBuf, Vec<u8>)>,
}

fn files_below(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).expect("a file");
        (path, bytes)
    };
    paths.into_iter().map(read).collect()
}

static TEMPLATE: LazyLock<Template> = LazyLock::new(|| {
    let directory = left_channel("table", 4);
    let entries = fs::read_dir(directory.join("checkpoint")).expect("the checkpoint");
    let mut tables = entries.flatten().map(|entry| entry.path());
    let is_table = |path: &PathBuf| path.to_string_lossy().contains("/table-");
    let table = tables.find(is_table).expect("a table");
    // The table's files first: those are changed.
    let mut files = files_below(&table);
    files.extend(files_below(&directory.join("data")));
    Template { directory, files }
});

/// Restore all files, in place: their inodes are part of what the channel knows them by.
fn restore(changes: &[u8]) {
    let mut files = TEMPLATE.files.clone();
    let tables = files
        .iter()
        .filter(|(path, _)| path.extension().is_none_or(|end| end != "seg"))
        .count();
    for change in changes.chunks_exact(CHANGE) {
        let bytes = &mut files[usize::from(change[0]) % tables].1;
        let words = (bytes.len() / 8).max(1);
        let at = usize::from(u16::from_le_bytes([change[1], change[2]])) % words * 8;
        if let Some(word) = bytes.get_mut(at..at + 8) {
            word.copy_from_slice(&change[3..]);
        }
    }
    for (path, bytes) in files {
        fs::write(path, bytes).expect("a file");
    }
}

fuzz_target!(|changes: &[u8]| {
    restore(changes);
    let Ok(channel) = FileChannel::open(config(&TEMPLATE.directory), Role::Take) else {
        return;
    };
    while let Ok(Taken::Delivery(delivery)) = channel.take(Some(Instant::now())) {
        let _ = delivery.batch.check();
        delivery.accept();
    }
});
