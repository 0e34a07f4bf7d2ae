//! Bearer tokens. What is kept of one is a SHA-256, so a file that leaks gives nobody a token.

use crate::auth::Principal;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use subtle::{Choice, ConstantTimeEq};
use vastflow_api::access::{KnownBy, MadeToken, NewToken, TokenRow};

/// How long a token lives unless it is said otherwise.
const DAYS: u32 = 90;
/// How soon one learns that another program changed the file.
const LOOK: Duration = Duration::from_secs(1);
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The tokens that a service knows, kept in a small file that only its owner can read, or in memory.
///
/// ```
/// use vastflow_api::access::{NewToken, Scope};
/// use vastflow_server::Tokens;
///
/// # let dir = tempfile::tempdir()?;
/// # let file = dir.path().join("app.tokens");
/// let tokens = Tokens::open(&file)?;
/// let new = NewToken { name: "ann".into(), scopes: vec![Scope::Operator], flows: vec![], days: None };
/// let made = tokens.make(new)?;
/// assert!(made.token.starts_with("vastflow_live_")); // shown this once
/// assert!(!std::fs::read_to_string(&file)?.contains(&made.token));
/// assert_eq!(tokens.list().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Tokens {
    path: Option<PathBuf>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: Vec<Entry>,
    /// When the file was read.
    looked: Option<Instant>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    row: TokenRow,
    sha256: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct File {
    tokens: Vec<Entry>,
}

/// Tokens could not be kept, read or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The file cannot be read or written.
    #[error("cannot keep tokens in {path}: {why}; check who owns the file and its directory")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        why: String,
    },
    /// Others can read the file.
    #[error("others can read {path}, which keeps tokens (mode {mode:o}); run `chmod 600 {path}`")]
    Open {
        /// The file.
        path: String,
        /// Its mode.
        mode: u32,
    },
    /// What was asked for makes no sense.
    #[error("a token needs a name and at least one scope, and lives for 1 to 3,650 days")]
    Senseless,
    /// The system gives no random numbers.
    #[error("the system gives no random numbers, so no token was made: {0}")]
    Random(String),
}

/// What came of looking for a token.
#[derive(Debug)]
pub(crate) enum Found {
    Known(Principal),
    Expired,
    Unknown,
}

impl Tokens {
    /// Tokens in a file, which is made with the first token.
    ///
    /// # Errors
    /// [`TokenError::File`]; [`TokenError::Open`] when others can read it.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, TokenError> {
        let tokens = Tokens { path: Some(path.into()), kept: Mutex::default() };
        tokens.read()?;
        Ok(tokens)
    }

    /// Tokens in memory: those of [`Tokens::with`].
    #[must_use]
    pub fn fixed() -> Self {
        Tokens { path: None, kept: Mutex::default() }
    }

    /// A token that was made elsewhere, say in a file of settings. It never ends.
    #[must_use]
    pub fn with(self, token: &str, who: &Principal) -> Self {
        let me = who.me(KnownBy::Token, false);
        let id = hex(&Sha256::digest(token))[..12].to_owned();
        let row = TokenRow {
            id,
            name: me.name,
            scopes: me.scopes,
            flows: me.flows,
            created_at_ms: now_ms(),
            expires_at_ms: u64::MAX,
        };
        self.kept().entries.push(Entry { row, sha256: hex(&Sha256::digest(token)) });
        self
    }

    /// Whether tokens can be made and revoked: there is a file for them.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        self.path.is_some()
    }

    /// Makes a token. Its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn make(&self, new: NewToken) -> Result<MadeToken, TokenError> {
        let days = new.days.unwrap_or(DAYS);
        if new.name.trim().is_empty() || new.scopes.is_empty() || !(1..=3_650).contains(&days) {
            return Err(TokenError::Senseless);
        }
        self.read()?;
        let token = new_token()?;
        let flows = if new.flows.is_empty() { vec!["*".to_owned()] } else { new.flows };
        let created_at_ms = now_ms();
        let expires_at_ms = created_at_ms.saturating_add(u64::from(days).saturating_mul(DAY_MS));
        let sha256 = hex(&Sha256::digest(&token));
        let id = sha256[..12].to_owned();
        let row = TokenRow { id, name: new.name, scopes: new.scopes, flows, created_at_ms, expires_at_ms };
        let mut kept = self.kept();
        kept.entries.push(Entry { row: row.clone(), sha256 });
        self.write(&mut kept)?;
        Ok(MadeToken { row, token })
    }

    /// Ends a token; gives whether there was one of that id.
    ///
    /// # Errors
    /// [`TokenError::File`].
    pub fn revoke(&self, id: &str) -> Result<bool, TokenError> {
        self.read()?;
        let mut kept = self.kept();
        let before = kept.entries.len();
        kept.entries.retain(|entry| entry.row.id != id);
        let was_there = kept.entries.len() < before;
        if was_there {
            self.write(&mut kept)?;
        }
        Ok(was_there)
    }

    /// The tokens, without their secrets.
    #[must_use]
    pub fn list(&self) -> Vec<TokenRow> {
        self.look();
        self.kept().entries.iter().map(|entry| entry.row.clone()).collect()
    }

    /// Whose token this is.
    pub(crate) fn find(&self, token: &str) -> Found {
        self.of_hash(&Self::hash(token))
    }

    /// What is kept of a token.
    pub(crate) fn hash(token: &str) -> String {
        hex(&Sha256::digest(token))
    }

    /// Whose token has this hash. All are compared, each in constant time.
    pub(crate) fn of_hash(&self, given: &str) -> Found {
        self.look();
        let kept = self.kept();
        let mut found = None;
        for entry in &kept.entries {
            let is_it: Choice = entry.sha256.as_bytes().ct_eq(given.as_bytes());
            if is_it.into() {
                found = Some(&entry.row);
            }
        }
        match found {
            None => Found::Unknown,
            Some(row) if row.expires_at_ms <= now_ms() => Found::Expired,
            Some(row) => {
                let flows = row.flows.iter().map(String::as_str);
                Found::Known(Principal::new(&row.name, row.scopes.iter().copied(), flows))
            }
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the file again, because another program may have changed it. If it cannot be read, what was known stays.
    fn look(&self) {
        let is_fresh = self.kept().looked.is_some_and(|at| at.elapsed() < LOOK);
        if !is_fresh && let Err(error) = self.read() {
            tracing::warn!("{error}");
        }
    }

    fn read(&self) -> Result<(), TokenError> {
        let Some(path) = &self.path else { return Ok(()) };
        let mut kept = self.kept();
        check_mode(path)?;
        kept.entries = match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice::<File>(&bytes).map_err(|why| of_file(path, &why))?.tokens,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(of_file(path, &error)),
        };
        kept.looked = Some(Instant::now());
        Ok(())
    }

    /// Writes the file anew and puts it in the place of the old one, so that it is never half there.
    fn write(&self, kept: &mut Kept) -> Result<(), TokenError> {
        let Some(path) = &self.path else { return Ok(()) };
        let file = File { tokens: kept.entries.clone() };
        let json = serde_json::to_vec_pretty(&file).map_err(|why| of_file(path, &why))?;
        let mut beside = path.clone().into_os_string();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        write_private(&beside, &json).map_err(|why| of_file(path, &why))?;
        std::fs::rename(&beside, path).map_err(|why| of_file(path, &why))?;
        kept.looked = None;
        Ok(())
    }
}

fn of_file(path: &Path, why: &dyn std::fmt::Display) -> TokenError {
    TokenError::File { path: path.display().to_string(), why: why.to_string() }
}

#[cfg(unix)]
fn check_mode(path: &Path) -> Result<(), TokenError> {
    use std::os::unix::fs::PermissionsExt;
    let Ok(about) = std::fs::metadata(path) else { return Ok(()) };
    let mode = about.permissions().mode() & 0o777;
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err(TokenError::Open { path: path.display().to_string(), mode }),
    }
}

#[cfg(not(unix))]
fn check_mode(_: &Path) -> Result<(), TokenError> {
    Ok(())
}

/// Writes a file that only its owner can read, and syncs it.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = private(std::fs::OpenOptions::new().write(true).create(true).truncate(true)).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The same options for a file that only its owner can read.
pub(crate) fn private(options: &mut std::fs::OpenOptions) -> &mut std::fs::OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

/// `vastflow_live_`, 32 random bytes and a check sum, so that tools that look for leaked secrets know one.
fn new_token() -> Result<String, TokenError> {
    let secret = random::<32>().map_err(TokenError::Random)?;
    let body = base62(&secret, 43);
    let sum = base62(&crc32(body.as_bytes()).to_be_bytes(), 6);
    Ok(format!("vastflow_live_{body}{sum}"))
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|why| why.to_string())?;
    Ok(bytes)
}

/// A number of many bytes in digits of base 62.
fn base62(bytes: &[u8], width: usize) -> String {
    let mut number = bytes.to_vec();
    let mut digits = Vec::with_capacity(width);
    for _ in 0..width {
        let mut rest: u32 = 0;
        for byte in &mut number {
            let value = rest << 8 | u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            rest = value % 62;
        }
        digits.push(char::from(DIGITS[rest as usize]));
    }
    digits.into_iter().rev().collect()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vastflow_api::access::Scope;

    fn new(days: Option<u32>) -> NewToken {
        NewToken { name: "ann".into(), scopes: vec![Scope::Viewer], flows: Vec::new(), days }
    }

    #[test]
    fn a_token_is_known_until_it_is_revoked_also_by_another_program() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens");
        let (one, other) = (Tokens::open(&path).unwrap(), Tokens::open(&path).unwrap());
        let made = one.make(new(None)).unwrap();
        assert_eq!(made.token.len(), "vastflow_live_".len() + 43 + 6);
        assert!(matches!(one.find(&made.token), Found::Known(who) if who.name() == "ann"));
        assert!(matches!(one.find("vastflow_live_x"), Found::Unknown));
        other.read().unwrap();
        assert!(matches!(other.find(&made.token), Found::Known(_)));
        assert!(other.revoke(&made.row.id).unwrap());
        one.read().unwrap();
        assert!(matches!(one.find(&made.token), Found::Unknown));
        assert!(!one.revoke(&made.row.id).unwrap());
    }

    #[test]
    fn a_token_ends() {
        let tokens = Tokens::fixed();
        let made = tokens.make(new(Some(1))).unwrap();
        tokens.kept().entries[0].row.expires_at_ms = now_ms();
        assert!(matches!(tokens.find(&made.token), Found::Expired));
        assert!(matches!(tokens.make(new(Some(0))), Err(TokenError::Senseless)));
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens");
        let made = Tokens::open(&path).unwrap().make(new(None)).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!std::fs::read_to_string(&path).unwrap().contains(&made.token[14..]));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let refused = Tokens::open(&path).unwrap_err().to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
    }

    #[test]
    fn check_sums_and_digits_are_the_known_ones() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(base62(&[0, 61], 2), "0z");
        assert_eq!(base62(&[1, 0], 3), "048");
    }
}
