//! The same records in step by programs that many use, where they are installed: `git fetch`, and PouchDB, of which
//! `NODE_PATH` says where it is. What is not here is left out, and said so.

use crate::people;
use crate::support::Folder;
use crate::table::{Line, Runs, timed};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Makes a database of so many documents in a folder, and says how many milliseconds its replication to another
/// takes.
const POUCHDB: &str = r"
const [rows, folder] = [require('fs').readFileSync(process.argv[1], 'utf8').split('\n'), process.argv[2]];
const PouchDB = require('pouchdb').defaults({ prefix: folder + '/' });
(async () => {
  const [one, two] = [new PouchDB('one'), new PouchDB('two')];
  const docs = rows.filter(row => row).map((row, at) => ({ _id: String(at).padStart(9, '0'), row }));
  while (docs.length > 0) await one.bulkDocs(docs.splice(0, 5000));
  const begun = Date.now();
  await PouchDB.replicate(one, two, { batch_size: 5000, batches_limit: 4 });
  console.log(Date.now() - begun);
})();
";

/// How long others take for so many records.
pub fn measure(count: usize) -> Vec<Line> {
    let folder = Folder::new("bench-others");
    let all =
        [("`git fetch`", git(folder.path(), count)), ("PouchDB", pouchdb(folder.path(), count))];
    let mut lines = Vec::new();
    for (what, time) in all {
        match time {
            Some(time) => lines.push(Line::new(
                format!("{what} of {count} records, each a file or a document"),
                Runs::times(&[time]),
            )),
            None => eprintln!("{what} is not installed here, and left out"),
        }
    }
    lines
}

fn git(folder: &Path, count: usize) -> Option<Duration> {
    let run = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(folder).args(["-c", "core.fsync=all"]).args(arguments);
        git.stdout(Stdio::null()).stderr(Stdio::null());
        git
    };
    run(&["init", "--bare", "one.git"]).status().ok().filter(|status| status.success())?;
    let mut import = run(&["-C", "one.git", "fast-import", "--quiet"]);
    let mut import = import.stdin(Stdio::piped()).spawn().ok()?;
    let mut out = BufWriter::new(import.stdin.take()?);
    write!(out, "commit refs/heads/main\ncommitter a <a@b> 0 +0000\ndata 0\n").ok()?;
    for number in 0..count {
        let row = people::row(number);
        let (folder, length) = (number % 256, row.len());
        write!(out, "M 644 inline {folder:02x}/{number}\ndata {length}\n{row}\n").ok()?;
    }
    out.flush().ok()?;
    drop(out);
    import.wait().ok().filter(|status| status.success())?;
    run(&["init", "--bare", "two.git"]).status().ok()?;
    let from = format!("file://{}", folder.join("one.git").display());
    let mut fetch = run(&["-C", "two.git", "fetch", &from, "main"]);
    let (time, status) = timed(|| fetch.status());
    status.ok().filter(|status| status.success()).map(|_| time)
}

fn pouchdb(folder: &Path, count: usize) -> Option<Duration> {
    let rows = folder.join("rows");
    let mut out = BufWriter::new(File::create(&rows).ok()?);
    (0..count).try_for_each(|number| writeln!(out, "{}", people::row(number))).ok()?;
    out.flush().ok()?;
    let mut node = Command::new("node");
    node.args(["-e", POUCHDB]).arg(&rows).arg(folder).stderr(Stdio::null());
    let shown = node.output().ok().filter(|output| output.status.success())?.stdout;
    let took = String::from_utf8(shown).ok()?.trim().parse().ok()?;
    Some(Duration::from_millis(took))
}
