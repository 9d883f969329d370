//! Starting programs in a row as a shell does, and what they used.

use anyhow::{Context, bail};
use rustix::thread::CpuSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Size of a pipe between two programs, the same for references and stages.
const PIPE_BYTES: usize = 256 << 10;
/// In which /proc counts CPU time, on every machine that matters.
const TICKS_PER_SECOND: f64 = 100.0;
/// How often the memory of running programs is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// One run of the benchmarks.
pub struct Run {
    /// Small sizes: for a look, not for figures.
    pub quick: bool,
    /// Words that choose subjects; none chooses all.
    filters: Vec<String>,
    flume: PathBuf,
    me: PathBuf,
    disk: tempfile::TempDir,
    components: String,
}

impl Run {
    /// Find the programs (`FLUME_BENCH_BIN` is another flume to measure), and make a directory on the disk that is measured (`FLUME_BENCH_DIR`, else the
    /// directory of temporary files).
    pub fn new(quick: bool, filters: Vec<String>) -> anyhow::Result<Run> {
        let flume = std::env::var_os("FLUME_BENCH_BIN").unwrap_or(env!("CARGO_BIN_EXE_flume").into());
        let flume = PathBuf::from(flume);
        let listed = Command::new(&flume).arg("list").output().context("flume list")?;
        let at = std::env::var_os("FLUME_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        Ok(Run {
            quick,
            filters,
            me: std::env::current_exe()?,
            disk: tempfile::tempdir_in(&at).with_context(|| format!("{}", at.display()))?,
            components: String::from_utf8_lossy(&listed.stdout).into_owned(),
            flume,
        })
    }

    /// Machine and sizes, for the head of the output.
    pub fn describe(&self) -> String {
        let uname = rustix::system::uname();
        let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpu.lines().find_map(|line| line.strip_prefix("model name"));
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        format!(
            "Linux {}, {cores} cores of{}, load at the start {}, files in {}{}",
            uname.release().to_string_lossy(),
            model
                .unwrap_or(": an unknown CPU")
                .trim_start_matches(['\t', ':']),
            load.split(' ').take(1).collect::<String>(),
            self.disk.path().display(),
            if self.quick { ", --quick" } else { "" },
        )
    }

    /// Somebody asked for this subject, and not only for all.
    pub fn named(&self, subject: &str) -> bool {
        self.filters
            .iter()
            .any(|filter| subject.contains(filter.as_str()))
    }

    /// This subject is to be measured.
    pub fn wants(&self, subject: &str) -> bool {
        self.filters.is_empty() || self.named(subject)
    }

    /// One of two sizes.
    pub fn size(&self, full: u64, quick: u64) -> u64 {
        if self.quick { quick } else { full }
    }

    /// How often each pair of measured and reference is run.
    pub fn rounds(&self) -> usize {
        if self.quick { 3 } else { 5 }
    }

    /// This machine's flume has this component.
    pub fn has(&self, kind: &str, name: &str) -> bool {
        let has = |line: &str| line.split_whitespace().take(2).eq([kind, name]);
        self.components.lines().any(has)
    }

    /// The program under test with these words.
    pub fn flume(&self, words: &str) -> Program {
        Program::new(&self.flume, words.split_whitespace())
    }

    /// The program under test with a pipeline to run in one process.
    pub fn fused(&self, pipeline: &str) -> Program {
        Program::new(&self.flume, ["run", "--quiet", pipeline])
    }

    /// This executable as one of the programs in [`crate::child`].
    pub fn child(&self, words: &str) -> Program {
        Program::new(&self.me, ["--child"].into_iter().chain(words.split_whitespace()))
    }

    /// An empty directory on the disk.
    pub fn directory(&self) -> anyhow::Result<tempfile::TempDir> {
        Ok(tempfile::tempdir_in(self.disk.path())?)
    }
}

/// A program of the system, if it is installed.
pub fn tool(name: &str, words: &[&str]) -> Option<Program> {
    let path = std::env::var_os("PATH")?;
    let mut places = std::env::split_paths(&path).map(|directory| directory.join(name));
    let found = places.find(|place| place.is_file())?;
    Some(Program::new(&found, words.iter().copied()))
}

/// What is started: a program, its words, and a file in place of a pipe.
#[derive(Clone)]
pub struct Program {
    path: PathBuf,
    words: Vec<String>,
    input: Option<PathBuf>,
}

impl Program {
    /// The program at this path with these words.
    pub fn new<'w>(path: &Path, words: impl IntoIterator<Item = &'w str>) -> Program {
        Program {
            path: path.to_path_buf(),
            words: words.into_iter().map(String::from).collect(),
            input: None,
        }
    }

    /// With this file as standard input.
    pub fn reading(mut self, path: &Path) -> Program {
        self.input = Some(path.to_path_buf());
        self
    }

    /// With more words, which may hold blanks.
    pub fn with(mut self, words: &[&str]) -> Program {
        self.words.extend(words.iter().map(|word| word.to_string()));
        self
    }

    /// Through a shell that does this first and then becomes the program.
    pub fn after(&self, script: &str) -> Program {
        let me = self.path.to_string_lossy();
        let script = format!("{script} && exec \"$@\"");
        let words = ["-c", &script, "sh", &me];
        Program::new(
            Path::new("/bin/sh"),
            words.into_iter().chain(self.words.iter().map(String::as_str)),
        )
    }

    /// Started by another program, whose last words are this one's.
    pub fn under(&self, starter: Program) -> Program {
        let mut started = starter;
        started.words.push(self.path.to_string_lossy().into_owned());
        started.words.extend(self.words.iter().cloned());
        started
    }

    /// As a command of the standard library, for what needs its pipes.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.args(&self.words);
        command
    }

    fn name(&self) -> String {
        format!("{} {}", self.path.display(), self.words.join(" "))
    }
}

/// On which cores the programs of a row run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cores {
    /// Where the system likes.
    Free,
    /// All on one.
    Same,
    /// Neighbours on different ones.
    Split,
}

impl Cores {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Cores::Free => "free",
            Cores::Same => "one core",
            Cores::Split => "split",
        }
    }

    fn of(self, index: usize, all: &CpuSet) -> CpuSet {
        let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core)).collect();
        let core = match self {
            Cores::Free => return *all,
            Cores::Same => 0,
            Cores::Split => index % cores.len().clamp(1, 2),
        };
        let mut one = CpuSet::new();
        one.set(cores[core]);
        one
    }
}

/// What a program used until it ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// CPU time of all its threads, user and system.
    pub cpu_seconds: f64,
    /// Its peak of resident memory while somebody watched.
    pub peak_kib: u64,
}

/// A row of programs that has ended.
pub struct Ended {
    /// From the first start to the last end.
    pub seconds: f64,
    /// Of each program.
    pub usages: Vec<Usage>,
}

/// Start the programs, joined by pipes, and wait until all have ended well.
pub fn run(programs: &[Program], cores: Cores) -> anyhow::Result<Ended> {
    let started = Instant::now();
    let pids = start(programs, cores)?;
    finish(programs, &pids, started)
}

/// As [`run`], watching how much memory each takes.
pub fn run_watched(programs: &[Program], cores: Cores) -> anyhow::Result<Ended> {
    let started = Instant::now();
    let pids = start(programs, cores)?;
    let over = Arc::new(AtomicBool::new(false));
    let (watched, seen) = (pids.clone(), over.clone());
    let watcher = std::thread::spawn(move || {
        let mut peaks = vec![0; watched.len()];
        while !seen.load(Ordering::SeqCst) {
            for (peak, pid) in peaks.iter_mut().zip(&watched) {
                *peak = memory_kib(*pid, "VmHWM").unwrap_or(0).max(*peak);
            }
            std::thread::sleep(LOOK_EVERY);
        }
        peaks
    });
    let ended = finish(programs, &pids, started);
    over.store(true, Ordering::SeqCst);
    let peaks = watcher.join().map_err(|_| anyhow::anyhow!("the watcher died"))?;
    let mut ended = ended?;
    for (usage, peak) in ended.usages.iter_mut().zip(peaks) {
        usage.peak_kib = peak;
    }
    Ok(ended)
}

/// A line of /proc/PID/status in KiB: `VmHWM` is the peak of resident memory, `VmRSS` what is resident now.
/// (What `wait4` calls the peak counts the parent before the exec.)
pub fn memory_kib(pid: i32, line: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let found = status.lines().find_map(|found| found.strip_prefix(line))?;
    found
        .trim_start_matches(':')
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

/// CPU seconds that a running process has used, in steps of 10 ms.
pub fn cpu_seconds(pid: i32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may hold blanks; times are the 14th and 15th value, the name being the second.
    let (_, rest) = stat.rsplit_once(')').context("/proc/PID/stat has no name")?;
    let values = rest.split_whitespace().skip(11).take(2);
    let ticks: u64 = values.map(str::parse::<u64>).sum::<Result<_, _>>()?;
    Ok(ticks as f64 / TICKS_PER_SECOND)
}

/// Start the programs, joined by pipes. The last writes to /dev/null; so does the first read, without a file.
pub fn start(programs: &[Program], cores: Cores) -> anyhow::Result<Vec<i32>> {
    // A new process gets the cores of the thread that starts it.
    let all = rustix::thread::sched_getaffinity(None)?;
    let mut pids = Vec::new();
    let mut from_last = None;
    for (index, program) in programs.iter().enumerate() {
        let mut command = program.command();
        command.stdin(match (from_last.take(), &program.input) {
            (Some(pipe), None) => Stdio::from(pipe),
            (_, Some(path)) => Stdio::from(File::open(path)?),
            (None, None) => Stdio::null(),
        });
        if index + 1 < programs.len() {
            let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
            rustix::pipe::fcntl_setpipe_size(&write, PIPE_BYTES)?;
            command.stdout(write);
            from_last = Some(read);
        } else {
            command.stdout(Stdio::null());
        }
        rustix::thread::sched_setaffinity(None, &cores.of(index, &all))?;
        let child = command.spawn().with_context(|| program.name());
        rustix::thread::sched_setaffinity(None, &all)?;
        pids.push(child?.id() as i32);
    }
    Ok(pids)
}

/// Wait for programs that were started.
pub fn finish(programs: &[Program], pids: &[i32], started: Instant) -> anyhow::Result<Ended> {
    let mut usages = Vec::new();
    let mut failed = None;
    for (program, pid) in programs.iter().zip(pids) {
        let (status, cpu_seconds) = wait(*pid).with_context(|| program.name())?;
        if status != 0 && failed.is_none() {
            failed = Some(format!("{} ended with wait status {status:#x}", program.name()));
        }
        usages.push(Usage {
            cpu_seconds,
            peak_kib: 0,
        });
    }
    if let Some(failed) = failed {
        bail!(failed);
    }
    Ok(Ended {
        seconds: started.elapsed().as_secs_f64(),
        usages,
    })
}

/// Milliseconds from exec until so many bytes are on standard output. It is killed then.
pub fn until_output(program: &Program, bytes: usize) -> anyhow::Result<f64> {
    let mut command = program.command();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let started = Instant::now();
    let mut child = command.spawn()?;
    let mut out = child.stdout.take().context("no standard output")?;
    let read = out.read_exact(&mut vec![0; bytes]);
    let millis = started.elapsed().as_secs_f64() * 1e3;
    child.kill()?;
    child.wait()?;
    read.with_context(|| format!("a program ended before it wrote {bytes} bytes"))?;
    Ok(millis)
}

/// Wait for a child: its wait status, and the CPU seconds that it used.
#[allow(unsafe_code)]
pub fn wait(pid: i32) -> anyhow::Result<(i32, f64)> {
    let mut status = 0;
    // SAFETY: a rusage is integers, for which zeros are a value; both pointers are to locals that outlive
    // the call. Neither std nor rustix tells the usage of one child, and /proc counts in steps of 10 ms.
    let (found, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::wait4(pid, &mut status, 0, &mut usage), usage)
    };
    if found != pid {
        return Err(std::io::Error::last_os_error().into());
    }
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Ok((status, seconds(usage.ru_utime) + seconds(usage.ru_stime)))
}

/// The value in the middle.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    percentile(values, 0.5)
}

/// The value below which this share of all lies; 0 of nothing.
pub fn percentile(values: impl IntoIterator<Item = f64>, share: f64) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * share) as usize;
    values
        .get(at.min(values.len().saturating_sub(1)))
        .copied()
        .unwrap_or(0.0)
}

/// Run a measured row and its reference alternately, so that noise meets both. In pairs: measured first.
pub fn pairs(
    rounds: usize,
    mut measured: impl FnMut() -> anyhow::Result<Ended>,
    mut reference: impl FnMut() -> anyhow::Result<Ended>,
) -> anyhow::Result<Vec<(Ended, Ended)>> {
    (0..rounds)
        .map(|_| {
            let reference = reference()?;
            Ok((measured()?, reference))
        })
        .collect()
}

/// Medians over pairs of something that two rows have: measured, reference, and of their ratios.
pub fn medians(pairs: &[(Ended, Ended)], value: impl Fn(&Ended) -> f64) -> (f64, f64, f64) {
    (
        median(pairs.iter().map(|(measured, _)| value(measured))),
        median(pairs.iter().map(|(_, reference)| value(reference))),
        median(
            pairs
                .iter()
                .map(|(measured, reference)| value(measured) / value(reference)),
        ),
    )
}
