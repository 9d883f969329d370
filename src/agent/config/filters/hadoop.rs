//! `hadoop`: a credential store of Hadoop's, which is a Java key store in a file.

use super::jceks;
use std::path::{Path, PathBuf};

/// Larger files are no credential stores.
const LIMIT: u64 = 16 << 20;
/// Hadoop's password for stores that nobody gave one.
const DEFAULT_PASSWORD: &str = "none";
/// Where it is asked for first.
const PASSWORD_VARIABLE: &str = "HADOOP_CREDSTORE_PASSWORD";

/// Stores in the order in which they are asked.
pub(super) struct Stores {
    files: Vec<PathBuf>,
    password_file: Option<String>,
}

impl Stores {
    /// The addresses of stores, with commas between them, and the file of the password.
    pub fn new(addresses: &str, password_file: Option<&str>) -> Result<Stores, String> {
        let addresses = addresses.split(',').map(str::trim);
        let addresses = addresses.filter(|address| !address.is_empty());
        Ok(Stores {
            files: addresses.map(file_of).collect::<Result<_, _>>()?,
            password_file: password_file.map(str::to_string),
        })
    }

    /// Its value for a key. The error is a sentence.
    pub fn value(&self, key: &str) -> Result<String, String> {
        let password = self.password()?;
        for file in &self.files {
            let said = |why: String| format!("{} {why}", file.display());
            let bytes = read(file).map_err(said)?;
            if let Some(secret) = jceks::secret(&bytes, &password, key).map_err(said)? {
                let text = String::from_utf8(secret);
                return text.map_err(|_| said(format!("has something under {key} that is no text")));
            }
        }
        let files: Vec<String> = self.files.iter().map(|file| file.display().to_string()).collect();
        Err(format!("{} has no {key}", files.join(" or ")))
    }

    fn password(&self) -> Result<String, String> {
        if let Ok(password) = std::env::var(PASSWORD_VARIABLE) {
            return Ok(password);
        }
        let Some(name) = &self.password_file else {
            return Ok(DEFAULT_PASSWORD.into());
        };
        // Hadoop looks on its class path, of which the directory of its settings is the part that has files.
        let configured = std::env::var_os("HADOOP_CONF_DIR").map(PathBuf::from);
        let places = [Some(PathBuf::new()), configured];
        let mut paths = places.into_iter().flatten().map(|place| place.join(name));
        let Some(path) = paths.find(|path| path.exists()) else {
            return Err(format!(
                "the password file {name} is neither here nor in HADOOP_CONF_DIR"
            ));
        };
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        Ok(text.trim().to_string())
    }
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("cannot be read: {error}");
    let length = std::fs::metadata(file).map_err(failed)?.len();
    match length <= LIMIT {
        true => std::fs::read(file).map_err(failed),
        false => Err(format!("has {length} bytes, which no credential store has")),
    }
}

/// `jceks://file/PATH` or `localjceks://file/PATH`.
fn file_of(address: &str) -> Result<PathBuf, String> {
    let known = ["jceks://file/", "localjceks://file/"];
    let path = known.iter().find_map(|start| address.strip_prefix(start));
    match path {
        Some(path) => Ok(Path::new("/").join(path)),
        None => Err(format!(
            "credential.provider.path has {address}, which cannot be read here: there are jceks://file/PATH and \
             localjceks://file/PATH"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn stores_are_files() {
        assert_eq!(file_of("jceks://file/etc/x.jceks"), Ok("/etc/x.jceks".into()));
        assert_eq!(file_of("localjceks://file/x"), Ok("/x".into()));
        for other in ["jceks://hdfs@nn:8020/x", "user:///", "/etc/x.jceks"] {
            assert!(file_of(other).unwrap_err().contains(other));
        }
    }

    /// Made by Java 17: `storePassword` and `other` as Hadoop puts them, under its own password.
    const STORE: &[u8] = include_bytes!("hadoop.jceks");

    #[test]
    fn keys_of_a_store_are_read() {
        let secret = |alias| jceks::secret(STORE, DEFAULT_PASSWORD, alias).unwrap();
        assert_eq!(secret("storePassword").as_deref(), Some(&b"hunter2"[..]));
        assert_eq!(secret("OTHER").as_deref(), Some("gr\u{fc}n".as_bytes()));
        assert_eq!(secret("none"), None);
        let why = jceks::secret(STORE, "wrong", "other").unwrap_err();
        assert!(why.contains("the password is wrong"), "{why}");
    }

    /// No cut and no changed byte does more than fail.
    #[test]
    fn damaged_stores_are_refused() {
        for cut in 0..STORE.len() {
            assert!(
                jceks::secret(&STORE[..cut], DEFAULT_PASSWORD, "none").is_err(),
                "{cut}"
            );
        }
        for at in 0..STORE.len() {
            let mut bytes = STORE.to_vec();
            bytes[at] ^= 0x55;
            assert!(jceks::secret(&bytes, DEFAULT_PASSWORD, "none").is_err(), "{at}");
        }
    }

    #[test]
    fn stores_of_the_real_keytool_are_read() {
        let there = Command::new("keytool").arg("-help").output().is_ok();
        if !there {
            assert!(
                std::env::var_os("FLUME_PROMISED").is_none(),
                "keytool is promised and missing"
            );
            crate::say::raw(b"SKIPPED stores_of_the_real_keytool_are_read: no keytool\n");
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.jceks");
        let store = ["-storetype", "JCEKS", "-storepass", "changeit", "-keystore"];
        let run = |words: &[&str]| {
            let output = Command::new("keytool")
                .args(words)
                .args(store)
                .arg(&file)
                .output();
            let output = output.unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stdout)
            );
        };
        run(&["-genseckey", "-alias", "aes", "-keyalg", "AES", "-keysize", "256"]);
        run(&[
            "-genkeypair",
            "-alias",
            "pair",
            "-keyalg",
            "EC",
            "-dname",
            "CN=x",
            "-keypass",
            "changeit",
        ]);
        let bytes = std::fs::read(&file).unwrap();
        let key = jceks::secret(&bytes, "changeit", "AES").unwrap().unwrap();
        assert_eq!(key.len(), 32);
        assert_eq!(jceks::secret(&bytes, "changeit", "pair"), Ok(None));
    }
}
