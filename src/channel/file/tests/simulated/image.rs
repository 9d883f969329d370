//! A file system in memory: directories, names that are not synced yet, and what a power cut leaves of them.

use super::content::{Content, Luck};
use super::random::Random;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// A file or a directory; never used again.
pub type Id = usize;
/// A directory and a name in it.
type Name = (Id, String);

/// What can have a name.
enum Node {
    File(Content),
    Directory {
        now: BTreeMap<String, Id>,
        durable: BTreeMap<String, Id>,
    },
}

struct Inode {
    node: Node,
    /// What programs see as its number: used again when the file is gone, as file systems do.
    shown: u64,
    /// Open descriptors.
    open: usize,
}

/// Names that change together, or not at all.
struct Change(Vec<(Name, Option<Id>)>);

/// The whole file system below one directory.
pub struct Image {
    root: PathBuf,
    inodes: Vec<Inode>,
    /// Changes of names that are not synced, the oldest first.
    pending: Vec<Change>,
}

pub fn errno(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}

fn directory() -> Node {
    Node::Directory {
        now: BTreeMap::new(),
        durable: BTreeMap::new(),
    }
}

impl Image {
    pub fn new(root: &Path) -> Image {
        let mut image = Image {
            root: root.to_path_buf(),
            inodes: Vec::new(),
            pending: Vec::new(),
        };
        image.add(directory());
        image
    }

    fn add(&mut self, node: Node) -> Id {
        let id = self.inodes.len();
        let used: BTreeSet<u64> = (0..id)
            .filter(|id| self.inodes[*id].open > 0 || self.links(*id) > 0)
            .map(|id| self.inodes[id].shown)
            .collect();
        let shown = (2..).find(|number| !used.contains(number)).unwrap_or(0);
        self.inodes.push(Inode { node, shown, open: 0 });
        id
    }

    fn entries(&self, id: Id) -> io::Result<&BTreeMap<String, Id>> {
        match &self.inodes[id].node {
            Node::Directory { now, .. } => Ok(now),
            Node::File(_) => Err(errno(libc::ENOTDIR)),
        }
    }

    pub fn file(&mut self, id: Id) -> io::Result<&mut Content> {
        match &mut self.inodes[id].node {
            Node::File(content) => Ok(content),
            Node::Directory { .. } => Err(errno(libc::EISDIR)),
        }
    }

    /// Names that it has.
    pub fn links(&self, id: Id) -> usize {
        let names = self.inodes.iter().map(|inode| match &inode.node {
            Node::Directory { now, .. } => now.values().filter(|found| **found == id).count(),
            Node::File(_) => 0,
        });
        names.sum()
    }

    pub fn shown(&self, id: Id) -> u64 {
        self.inodes[id].shown
    }

    pub fn opened(&mut self, id: Id) {
        self.inodes[id].open += 1;
    }

    pub fn closed(&mut self, id: Id) {
        self.inodes[id].open -= 1;
    }

    /// Bytes of all files that are named or open.
    pub fn used(&self) -> u64 {
        let sizes = (0..self.inodes.len()).map(|id| match &self.inodes[id].node {
            Node::File(content) if self.inodes[id].open > 0 || self.links(id) > 0 => {
                content.size().next_multiple_of(4096)
            }
            _ => 0,
        });
        sizes.sum()
    }

    pub fn find(&self, path: &Path) -> io::Result<Id> {
        let inside = path.strip_prefix(&self.root).map_err(|_| errno(libc::ENOENT))?;
        inside.components().try_fold(0, |id, part| {
            let name = part.as_os_str().to_string_lossy();
            self.entries(id)?
                .get(&*name)
                .copied()
                .ok_or_else(|| errno(libc::ENOENT))
        })
    }

    fn name(&self, path: &Path) -> io::Result<Name> {
        let above = self.find(path.parent().unwrap_or(path))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok((above, name.into_owned()))
    }

    fn free_name(&self, path: &Path) -> io::Result<Name> {
        match self.find(path) {
            Ok(_) => Err(errno(libc::EEXIST)),
            Err(_) => self.name(path),
        }
    }

    fn change(&mut self, changes: Vec<(Name, Option<Id>)>) {
        for ((id, name), target) in &changes {
            if let Node::Directory { now, .. } = &mut self.inodes[*id].node {
                set(now, name, *target);
            }
        }
        self.pending.push(Change(changes));
    }

    pub fn create(&mut self, path: &Path) -> io::Result<Id> {
        let name = self.free_name(path)?;
        let id = self.add(Node::File(Content::default()));
        self.change(vec![(name, Some(id))]);
        Ok(id)
    }

    pub fn make_dir(&mut self, path: &Path) -> io::Result<()> {
        if self.find(path).is_ok() || self.root.starts_with(path) {
            return Ok(());
        }
        if let Some(above) = path.parent() {
            self.make_dir(above)?;
        }
        let name = self.free_name(path)?;
        let id = self.add(directory());
        self.change(vec![(name, Some(id))]);
        Ok(())
    }

    pub fn link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let id = self.find(from)?;
        let name = self.free_name(to)?;
        self.change(vec![(name, Some(id))]);
        Ok(())
    }

    pub fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let id = self.find(from)?;
        let (old, new) = (self.name(from)?, self.name(to)?);
        self.change(vec![(old, None), (new, Some(id))]);
        Ok(())
    }

    pub fn unlink(&mut self, path: &Path) -> io::Result<()> {
        let id = self.find(path)?;
        self.file(id)?;
        let name = self.name(path)?;
        self.change(vec![(name, None)]);
        Ok(())
    }

    pub fn names(&self, path: &Path) -> io::Result<Vec<String>> {
        Ok(self.entries(self.find(path)?)?.keys().cloned().collect())
    }

    pub fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        if self.root != path && self.root.starts_with(path) {
            return Ok(());
        }
        let id = self.find(path)?;
        self.entries(id)?;
        self.persist(|change, _| change.0.iter().any(|((at, _), _)| *at == id));
        Ok(())
    }

    /// Make those changes durable that are chosen, and those that they rest on: earlier ones of the same names.
    fn persist(&mut self, mut choose: impl FnMut(&Change, usize) -> bool) {
        let mut names = BTreeSet::new();
        let mut chosen = vec![false; self.pending.len()];
        for (nth, change) in self.pending.iter().enumerate().rev() {
            chosen[nth] = choose(change, nth) || change.0.iter().any(|(name, _)| names.contains(name));
            if chosen[nth] {
                names.extend(change.0.iter().map(|(name, _)| name.clone()));
            }
        }
        let mut chosen = chosen.into_iter();
        let mut left = Vec::new();
        for change in std::mem::take(&mut self.pending) {
            if chosen.next() != Some(true) {
                left.push(change);
                continue;
            }
            for ((id, name), target) in &change.0 {
                if let Node::Directory { durable, .. } = &mut self.inodes[*id].node {
                    set(durable, name, *target);
                }
            }
        }
        self.pending = left;
    }

    /// What is left when the power goes.
    pub fn cut_power(&mut self, random: &mut Random) {
        let luck = |random: &mut Random| [0, 1, 4, 7, 8][random.index(5)];
        let (names, data) = (luck(random), Luck(luck(random)));
        // Often just one is missing.
        let victim = match random.eighths(2) {
            true => Some(random.index(self.pending.len())),
            false => None,
        };
        self.persist(|_, nth| victim.map_or_else(|| random.eighths(names), |victim| nth != victim));
        self.pending.clear();
        for inode in &mut self.inodes {
            match &mut inode.node {
                Node::File(content) => content.cut_power(data, random),
                Node::Directory { now, durable } => now.clone_from(durable),
            }
        }
        self.forget_unreachable();
    }

    fn forget_unreachable(&mut self) {
        let mut reached = BTreeSet::from([0]);
        let mut next = vec![0];
        while let Some(id) = next.pop() {
            let below = self
                .entries(id)
                .map(|entries| entries.values().copied().collect());
            let below: Vec<Id> = below.unwrap_or_default();
            next.extend(below.into_iter().filter(|id| reached.insert(*id)));
        }
        for (id, inode) in self.inodes.iter_mut().enumerate() {
            if !reached.contains(&id) {
                inode.node = Node::File(Content::default());
            }
        }
    }
}

fn set(entries: &mut BTreeMap<String, Id>, name: &str, target: Option<Id>) {
    match target {
        Some(id) => entries.insert(name.to_string(), id),
        None => entries.remove(name),
    };
}
