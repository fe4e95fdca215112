//! `reunite wipe`: destroys a node that is about to be overrun.

use crate::base::error::{Error, Result};
use crate::shell::{ask, setup_words};
use crate::store::destroy::{Destroyer, Report};
use crate::store::files::{self, LOCK};
use crate::store::{holder, identity_file};
use clap::Args;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

/// The options of `reunite wipe`.
#[derive(Debug, Args)]
pub struct Options {
    /// The data folder of the node
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Its peers file, where that is not in the data folder; may be given again for each copy
    #[arg(long, value_name = "FILE")]
    peers: Vec<PathBuf>,
    /// Do not ask first
    #[arg(long)]
    yes: bool,
}

/// Destroys a node. An error is returned at the end if anything is left.
pub fn run(options: &Options) -> Result<()> {
    let peers = &options.peers;
    // After a wipe that was cut off between the two, the folder is gone and the peers file is not.
    let rest = files::is_missing(&options.data)? && peers.iter().any(|peers| peers.exists());
    let folder = if rest { options.data.clone() } else { checked(&options.data)? };
    ask::say(&setup_words::wipe_plan(&folder, peers, &foreign(&folder)))?;
    if !options.yes && !ask::confirms(setup_words::WIPE, "WIPE")? {
        return Err(Error::input(
            "wipe",
            "it was not confirmed, and nothing was changed",
            "type WIPE to destroy",
        ));
    }
    // Whatever becomes of the node that runs there, its files are destroyed.
    let held = holder::take(&folder);
    let mut destroyer = Destroyer::default();
    destroyer.destroy(&folder.join(identity_file::FILE));
    for peers in peers {
        match files::is_missing(peers) {
            Ok(true) => destroyer.failed(peers, io::ErrorKind::NotFound.into()),
            _ => destroy_apart(&mut destroyer, peers),
        }
    }
    for path in keys_in(&folder) {
        destroyer.destroy(&path);
    }
    destroyer.contents(&folder, |path| path.ends_with(LOCK));
    let emptied = fs::remove_dir(&folder);
    if options.data.is_symlink() {
        destroyer.destroy(&options.data);
    }
    let report = destroyer.report();
    // Nobody reads standard output of a panic button; it must not stop the wipe, which is done.
    let said = ask::say(&setup_words::wiped(&report, &held, emptied.is_ok()));
    match (held, report) {
        (Ok(_), Report { failed, .. }) if failed.is_empty() => said,
        (Err(error), _) => Err(error),
        (_, report) => Err(Error::device(
            "destroy everything",
            io::Error::other(setup_words::left(report.failed.len())),
        )),
    }
}

/// The folder, if it is one that a node may have used: the whole of it is destroyed, and a slip of the
/// keyboard must not cost somebody their home.
fn checked(path: &Path) -> Result<PathBuf> {
    let wrong = |cause| Error::device(format!("wipe {}", path.display()), cause);
    let refuse = |why: &str| {
        Err(Error::input(
            path.display().to_string(),
            why,
            "give --data the folder that the node was started with",
        ))
    };
    let folder = fs::canonicalize(path).map_err(wrong)?;
    if folder.parent().is_none() || homes().contains(&folder) {
        return refuse("this is not the folder of a node alone");
    }
    let entries: Vec<_> = fs::read_dir(&folder).map_err(wrong)?.flatten().collect();
    let is_nodes = |entry: &DirEntry| {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        is_file && (files::is_mark(&entry.file_name()) || holder::is_lock(&entry.path()))
    };
    if !entries.is_empty() && !entries.iter().any(is_nodes) {
        return refuse("no node has used this folder");
    }
    Ok(folder)
}

/// The homes of all people on this device.
fn homes() -> Vec<PathBuf> {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let homes = homes_of_people(&users).map(PathBuf::from);
    let homes = homes.chain(std::env::var_os("HOME").map(PathBuf::from));
    homes.filter_map(|home| fs::canonicalize(home).ok()).collect()
}

/// Those that a passwd(5) file names. Who cannot log in is no person: the user of a service has its node at home.
fn homes_of_people(users: &str) -> impl Iterator<Item = &str> {
    users.lines().filter_map(|user| {
        let mut fields = user.split(':').skip(5);
        let (home, shell) = (fields.next()?, fields.next().unwrap_or_default());
        let is_person = !["nologin", "false"].iter().any(|none| shell.trim().ends_with(none));
        is_person.then_some(home)
    })
}

/// What is in the folder and is no node's.
fn foreign(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let names = entries.flatten().filter(|entry| {
        let name = entry.file_name();
        let is_card = name.to_string_lossy().starts_with("card-");
        !(is_card || files::is_ours(&name)) || entry.file_type().is_ok_and(|kind| kind.is_dir())
    });
    let mut names: Vec<_> =
        names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn destroy_apart(destroyer: &mut Destroyer, path: &Path) {
    destroyer.destroy(path);
    let (temporary, folder) = files::beside(path);
    destroyer.destroy(&temporary);
    destroyer.sync(folder);
}

/// Whatever else in the folder may hold keys.
fn keys_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let names = entries.flatten().filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.contains("identity") || name.contains("peers")
    });
    names.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_of_a_service_is_no_persons() {
        let users = "root:x:0:0:root:/root:/bin/bash\n\
                     reunite:x:999:999::/var/lib/reunite:/usr/sbin/nologin\n\
                     pi:x:1000:1000:,,,:/home/pi:\n\
                     broken:x\n\
                     other:x:1:1::/srv/other:/bin/false";
        assert_eq!(homes_of_people(users).collect::<Vec<_>>(), ["/root", "/home/pi"]);
    }
}
