//! `reunite status`: what a node on this machine sees of its peers, from the file that it keeps in its data folder. It
//! works beside the node, and after its end.

use crate::base::clock::wall;
use crate::base::error::{Error, Result};
use crate::model::limits::MAX_STATUS_FILE;
use crate::net::status::FILE;
use crate::shell::{ask, status_words};
use crate::store::{files, holder};
use clap::Args;
use serde_json::Value;
use std::path::PathBuf;

/// The options of `reunite status`.
#[derive(Debug, Args)]
pub struct Options {
    /// The data folder of a tier-1 node
    #[arg(value_name = "DIR")]
    data: PathBuf,
    /// Write JSON, for programs
    #[arg(long)]
    json: bool,
}

/// Shows the status.
pub fn run(options: &Options) -> Result<()> {
    let path = options.data.join(FILE);
    let place = path.display().to_string();
    if files::is_missing(&path)? {
        return Err(Error::input(place, "there is none", status_words::NO_STATUS));
    }
    let text = files::read_text(&path, MAX_STATUS_FILE)?;
    let wrong = || Error::input(place.clone(), "it is no status", status_words::NO_STATUS);
    let mut value: Value = serde_json::from_str(&text).map_err(|_| wrong())?;
    let fields = value.as_object_mut().ok_or_else(wrong)?;
    let is_running = holder::is_running(&options.data);
    fields.insert("running".into(), is_running.into());
    if options.json {
        return ask::say(&format!("{value:#}"));
    }
    ask::say(&status_words::status(&value, is_running, wall()))
}
