//! A mirror: a folder with the files of the hub, for machines without a network.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::fetch::{Got, Wanted};
use super::hub::{Address, Trouble};
use super::part::Part;

/// Where a file may be in the mirror, in the order of search: as the hub's addresses have it, and as its own tool lays out
/// a repository (`hf download REPO --local-dir MIRROR/REPO`).
fn candidates(mirror: &Path, address: Address<'_>, revision: &str) -> [PathBuf; 2] {
    let repo = mirror.join(address.repo);
    [repo.join("resolve").join(revision).join(address.path), repo.join(address.path)]
}

/// Copies a file out of the mirror to `target`, whose folder is made. `revision` is the one in the catalogue; the wanted one
/// may be the commit that it stood for.
///
/// # Errors
/// If it is not there, not the right one, or cannot be written.
pub(super) fn copy(mirror: &Path, wanted: &Wanted<'_>, revision: &str, target: &Path) -> Result<Got, Trouble> {
    let address = wanted.address;
    let mut all = candidates(mirror, address, address.revision).to_vec();
    all.extend(candidates(mirror, address, revision));
    all.dedup();
    let Some(found) = all.iter().find(|path| path.is_file()) else {
        let looked = all.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", nor ");
        return Err(Trouble::Missing { file: address.path.to_owned(), looked });
    };
    let disk = |e: std::io::Error| Trouble::Disk { file: found.display().to_string(), problem: e.to_string() };
    let part = Part::at(target)?;
    let mut writer = part.open(false, None)?;
    let (mut file, mut buffer) = (std::fs::File::open(found).map_err(disk)?, vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).map_err(disk)? {
            0 => break,
            read => writer.write(&buffer[..read])?,
        }
    }
    writer.sync()?;
    let got = Got { commit: None, size: part.length(), sha256: part.sha256()? };
    if let Err(trouble) = wanted.check(&got) {
        part.discard();
        return Err(trouble);
    }
    part.finish()?;
    Ok(got)
}
