//! Fetching one file: resumed where it broke off, held to its length and hash, tried again while that may help.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use indicatif::ProgressBar;

use super::hub::{Address, Answer, Hub, Told, Trouble};
use super::part::Part;

/// Attempts in a row that bring nothing new before it is given up.
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Something known of a file, and who says so: the catalogue, what was recorded on the first pull, or the server.
pub(super) type Known<T> = (T, &'static str);

/// A file that is wanted, and what is known of it.
#[derive(Clone, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) address: Address<'a>,
    /// Bytes.
    pub(super) size: Option<Known<u64>>,
    /// In hexadecimal.
    pub(super) sha256: Option<Known<String>>,
}

/// A file that is there.
#[derive(Clone, Debug)]
pub(super) struct Got {
    /// The commit that the server named.
    pub(super) commit: Option<String>,
    pub(super) size: u64,
    pub(super) sha256: String,
}

impl Wanted<'_> {
    fn file(&self) -> String {
        self.address.path.to_owned()
    }

    /// Compares a length that somebody names with what is known.
    fn check_size(&self, size: Option<u64>, found: impl Fn(u64) -> String) -> Result<(), Trouble> {
        match (self.size, size) {
            (Some((expected, whose)), Some(size)) if size != expected => {
                Err(Trouble::Length { file: self.file(), expected, whose, found: found(size) })
            }
            _ => Ok(()),
        }
    }

    /// Compares a hash with what is known.
    fn check_hash(&self, found: &str) -> Result<(), Trouble> {
        match &self.sha256 {
            Some((expected, whose)) if !expected.eq_ignore_ascii_case(found) => Err(Trouble::Hash {
                file: self.file(),
                found: found.to_owned(),
                expected: expected.to_lowercase(),
                whose,
            }),
            _ => Ok(()),
        }
    }

    /// Compares a file that is there with what is known.
    ///
    /// # Errors
    /// If it has another length or hash.
    pub(super) fn check(&self, got: &Got) -> Result<(), Trouble> {
        self.check_size(Some(got.size), |size| format!("{size} came"))?;
        self.check_hash(&got.sha256)
    }

    /// This, with what the server says of the file where nothing else is known; what it says otherwise is refused.
    fn with(&self, told: &Told) -> Result<Self, Trouble> {
        const SERVER: &str = "the server";
        self.check_size(told.size, |size| format!("the server has one of {size}"))?;
        if let Some(found) = &told.sha256 {
            self.check_hash(found)?;
        }
        let size = self.size.or(told.size.map(|size| (size, SERVER)));
        let sha256 = self.sha256.clone().or(told.sha256.clone().map(|hash| (hash, SERVER)));
        let known = Self { address: self.address, size, sha256 };
        known.check_size(told.announced, |size| format!("{size} are announced"))?;
        Ok(Self { size: size.or(told.announced.map(|size| (size, SERVER))), ..known })
    }
}

/// How an attempt failed.
enum Failure {
    /// What had come before is of no use; without it, it may go well.
    Stale(Trouble),
    /// It ends here.
    End(Trouble),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::End(trouble)
    }
}

/// Fetches a file to `target`, whose folder is made. What came stays beside it for the next run where that can be
/// continued.
///
/// # Errors
/// Why it is not there.
pub(super) fn fetch(hub: &Hub, wanted: &Wanted<'_>, target: &Path, bar: &ProgressBar) -> Result<Got, Trouble> {
    let part = Part::at(target)?;
    let before = part.length();
    let (mut fruitless, mut afresh, mut furthest) = (0, false, before);
    loop {
        let failure = match attempt(hub, wanted, &part, bar) {
            Ok(got) => return Ok(got),
            Err(failure) => failure,
        };
        match failure {
            Failure::Stale(trouble) => {
                part.discard();
                if std::mem::replace(&mut afresh, true) {
                    return Err(trouble);
                }
                say(bar, &format!("{}: what was there does not fit; fetching it anew", wanted.address.path));
            }
            Failure::End(trouble) => {
                // Where nothing can be gone on from, all of it comes again, and that is no progress.
                let came = part.length() > furthest;
                furthest = furthest.max(part.length());
                fruitless = if came { 1 } else { fruitless + 1 };
                // A network that was there may come back.
                let passing =
                    trouble.is_passing() || (furthest > before && matches!(trouble, Trouble::Unreachable { .. }));
                if !passing || fruitless >= TRIES {
                    return Err(given_up(trouble, &part, fruitless));
                }
                let pause = pause(fruitless);
                say(bar, &format!("{trouble}; trying again in {:.1} s", pause.as_secs_f64()));
                std::thread::sleep(pause);
            }
        }
    }
}

/// Says something above the bar, and also where there is no terminal to draw one.
fn say(bar: &ProgressBar, text: &str) {
    bar.suspend(|| eprintln!("{text}"));
}

/// Twice as long each time, up to a limit, and not the same for all who wait for a server.
fn pause(fruitless: u32) -> Duration {
    let pause = FIRST_PAUSE.saturating_mul(1 << fruitless.saturating_sub(1).min(8)).min(LONGEST_PAUSE);
    pause.mul_f64(0.75 + 0.5 * fastrand::f64())
}

fn given_up(trouble: Trouble, part: &Part, tries: u32) -> Trouble {
    match trouble {
        Trouble::Length { .. } | Trouble::Hash { .. } => part.discard(),
        Trouble::Broken { file, problem } => {
            let kept = match part.of() {
                Some(_) => format!("; {} bytes are kept, and the same command goes on from there", part.length()),
                None => {
                    part.discard();
                    String::new()
                }
            };
            return Trouble::Broken { file, problem: format!("{problem}; given up after {tries} tries{kept}") };
        }
        _ => {}
    }
    trouble
}

fn attempt(hub: &Hub, wanted: &Wanted<'_>, part: &Part, bar: &ProgressBar) -> Result<Got, Failure> {
    // What a part is of: the hash of the whole, or the mark of the server that it is from.
    let of = part.of();
    let hash = of.as_deref().and_then(|of| of.strip_prefix("sha256:"));
    let mark = of.as_deref().and_then(|of| of.strip_prefix("mark:"));
    let fits = hash.is_some_and(|hash| wanted.check_hash(hash).is_ok()) || (mark.is_some() && wanted.sha256.is_none());
    let have = if fits { part.length() } else { 0 };
    let Answer { told, start, body } = hub.get(wanted.address, have, mark)?;
    let known = wanted.with(&told)?;
    if have > 0 && hash.is_some_and(|hash| known.check_hash(hash).is_err()) {
        return Err(Failure::Stale(broken(wanted, "the server has another file by now".to_owned())));
    }
    let resumed = match start {
        Some(0) => false,
        Some(start) if start == have => true,
        // Nothing from there on: all of it is there, which its hash tells.
        None if have > 0 => return finish(&known, told, part, true),
        _ => {
            return Err(Failure::Stale(broken(
                wanted,
                "the server sends another part than it was asked for".to_owned(),
            )));
        }
    };
    let of = known.sha256.as_ref().map(|(hash, _)| format!("sha256:{}", hash.to_lowercase()));
    let of = of.or_else(|| told.mark.as_ref().map(|mark| format!("mark:{mark}")));
    let mut writer = part.open(resumed, of.as_deref())?;
    let mut length = if resumed { have } else { 0 };
    let end = |problem: String| Failure::End(broken(wanted, problem));
    if let Some((size, _)) = known.size {
        bar.set_length(size);
    }
    bar.set_position(length);
    let (mut reader, mut buffer) = (body.into_reader(), vec![0; 1 << 16]);
    loop {
        let read = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) => {
                writer.sync()?;
                return Err(end(format!("broken off after {length} bytes ({error})")));
            }
        };
        writer.write(&buffer[..read])?;
        length += read as u64;
        bar.set_position(length);
        if let Some((expected, whose)) = known.size.filter(|(size, _)| length > *size) {
            return Err(Trouble::Length { file: known.file(), expected, whose, found: "more came".to_owned() }.into());
        }
    }
    writer.sync()?;
    match known.size {
        Some((size, _)) if length < size => Err(end(format!("broken off after {length} of {size} bytes"))),
        _ => finish(&known, told, part, resumed),
    }
}

fn broken(wanted: &Wanted<'_>, problem: String) -> Trouble {
    Trouble::Broken { file: wanted.file(), problem }
}

/// Checks what has come, and puts it in its place. If some of it is from before, that may be what is wrong with it.
fn finish(known: &Wanted<'_>, told: Told, part: &Part, resumed: bool) -> Result<Got, Failure> {
    let got = Got { commit: told.commit, size: part.length(), sha256: part.sha256()? };
    if let Err(trouble) = known.check(&got) {
        return Err(if resumed { Failure::Stale(trouble) } else { trouble.into() });
    }
    part.finish()?;
    Ok(got)
}
