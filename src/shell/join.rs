//! The newcomer's side of joining, by a code or by files: `reunite join`, and the ways 2 and 3 of `reunite setup`.

use crate::base::error::{Error, Result};
use crate::base::threads::Stop;
use crate::model::address::{self, Address};
use crate::model::identity::Identity;
use crate::model::ids::Organisation;
use crate::model::join::answer;
use crate::model::join::code::{Code, DoorNumber};
use crate::model::join::limits::{MAX_JOIN_FILE, USUAL_PORT};
use crate::model::join::paper;
use crate::model::join::request::Request;
use crate::model::join::welcome::Welcome;
use crate::model::keys::SecretKey;
use crate::model::passphrase::Passphrase;
use crate::model::x25519::Own;
use crate::net::join::{call, search};
use crate::shell::{ask, join_words, let_in, words};
use crate::store::files;
use crate::store::newcomer::Newcomer;
use clap::{Args, Subcommand};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The ways to join.
#[derive(Debug, Subcommand)]
pub enum Join {
    /// Join now, by the code that a member reads to you: its menu item 17 shows it
    Code(ByCode),
    /// Write a request to join, for a member that cannot be reached from here
    Request(Ask),
    /// At a member: answer a request, on a node that is down. Where it runs, 17 in its menu does the same
    Answer(let_in::Answer),
    /// Join by the answer that a member made of the request
    Accept(Accept),
}

/// What a newcomer says of itself.
#[derive(Debug, Default, Args)]
pub struct About {
    /// Whose node it is; asked for if it is not given
    #[arg(long, value_name = "NAME")]
    pub organisation: Option<String>,
    /// Where the other nodes reach it; asked for if it is not given
    #[arg(long, value_name = "IP:PORT")]
    pub address: Option<String>,
    /// The data folder of the new node, made where it is missing
    #[arg(long, value_name = "DIR", default_value = "node")]
    pub data: PathBuf,
    /// Protect the identity by a passphrase, which is then asked for at each start
    #[arg(long)]
    pub passphrase: bool,
    /// Protect it by the passphrase in this file's first line, instead of asking for one
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// The options of `reunite join code`. The code is no option: other users of the machine could read it.
#[derive(Debug, Args)]
pub struct ByCode {
    #[command(flatten)]
    about: About,
    /// The address that the member reads to you; looked for on the local network if it is not given
    #[arg(long, value_name = "IP:PORT")]
    member: Option<String>,
}

/// The options of `reunite join request`.
#[derive(Debug, Args)]
pub struct Ask {
    #[command(flatten)]
    about: About,
    /// Write the request here
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// The options of `reunite join accept`.
#[derive(Debug, Args)]
pub struct Accept {
    /// The data folder with which the request was made
    #[arg(long, value_name = "DIR", default_value = "node")]
    data: PathBuf,
    /// The passphrase of the identity is the first line of this file
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Do not ask whether the fingerprint of the member is the same: it has been compared
    #[arg(long)]
    yes: bool,
    /// The answer
    #[arg(value_name = "ANSWER")]
    file: PathBuf,
}

/// Joins, or answers who wants to.
pub fn run(way: &Join) -> Result<()> {
    match way {
        Join::Code(options) => by_code(&options.about, options.member.as_deref()),
        Join::Request(options) => request(&options.about, &options.file),
        Join::Answer(options) => let_in::answer_on(options),
        Join::Accept(options) => accept(options),
    }
}

/// Joins by a code.
pub fn by_code(about: &About, member: Option<&str>) -> Result<()> {
    let newcomer = Newcomer::open(&about.data)?;
    let (identity, passphrase) = identity(about, &newcomer)?;
    let organisation = organisation(about)?;
    let code: Code = ask::read(join_words::CODE, str::parse)?;
    let stop = Stop::default();
    let (to, is_found) = match member {
        Some(member) => (address::typed(member)?, false),
        None => door(code.door(), &stop)?,
    };
    // Before the call: the member does not wait for long.
    let likely = search::own_ip_towards(to).map(|ip| SocketAddr::new(ip, USUAL_PORT));
    let own = address(about, likely)?;
    let met = match call::meet(to, &code, &stop) {
        Err(error) if is_found => {
            // It may have been another's door.
            ask::say(&words::failure(&error))?;
            call::meet(ask::read(join_words::MEMBER, address::typed)?, &code, &stop)?
        }
        done => done?,
    };
    drop(code);
    let who = call::Newcomer { identity: &identity, organisation, address: own };
    let request = met.request(&who);
    // If the answer is lost on its way, the member has it as a file.
    newcomer.keep(&request)?;
    ask::say(&join_words::met(request.keys()))?;
    let given = met.ask(&request, &who)?;
    ask::say(&join_words::answered(given.welcome()))?;
    let (welcome, heard) = given.into_parts();
    install(newcomer, &identity, passphrase.as_ref(), welcome, &about.data)?;
    heard.done();
    Ok(())
}

/// Where the door of this number is: looked for on the local network, and asked for if it is not there alone. Returns
/// whether it was found there.
fn door(number: DoorNumber, stop: &Stop) -> Result<(SocketAddr, bool)> {
    ask::say(join_words::SEARCH)?;
    let found = search::seek(number, stop, &mut rand::rng())?;
    ask::say(&join_words::found(number, &found))?;
    match found.as_slice() {
        [door] => Ok((*door, true)),
        _ => ask::read(join_words::MEMBER, address::typed).map(|typed| (typed, false)),
    }
}

/// Writes a request.
pub fn request(about: &About, file: &Path) -> Result<()> {
    let newcomer = Newcomer::open(&about.data)?;
    let (identity, _) = identity(about, &newcomer)?;
    let (organisation, address) = (organisation(about)?, address(about, None)?);
    let request = Request::for_file(&identity, organisation, address, &mut rand::rng());
    newcomer.keep(&request)?;
    let text = paper::of_request(&request);
    files::replace(file, |out| out.write_all(text.as_bytes()))?;
    ask::say(&join_words::requested(file, request.keys(), &about.data))
}

fn accept(options: &Accept) -> Result<()> {
    let newcomer = Newcomer::open(&options.data)?;
    let request = newcomer.request()?;
    let passphrase = || ask::passphrase(options.passphrase_file.as_deref());
    let (identity, passphrase) = newcomer.identity(passphrase)?.ok_or_else(no_identity)?;
    let text = files::read_text(&options.file, MAX_JOIN_FILE)?;
    let place = options.file.display().to_string();
    let opened = paper::answer(&text, request.keys())
        .and_then(|answer| answer::open(&answer, &request, &own(&identity), &mut rand::rng()));
    let (welcome, _) = opened.map_err(|error| match error {
        Error::Peer { what } => Error::input(place, format!("who made it {what}"), ADVICE),
        other => other,
    })?;
    ask::say(&join_words::answered(&welcome))?;
    // By a file anybody could answer: the fingerprint tells whether it was who was asked.
    if !options.yes && !ask::confirms(words::COMPARED, words::YES)? {
        return Err(Error::input(
            "answer",
            "the fingerprint of the member was not confirmed, and nothing was changed",
            "ask for the answer again, by another way",
        ));
    }
    install(newcomer, &identity, passphrase.as_ref(), welcome, &options.data)
}

const ADVICE: &str = "ask the member to make the answer again, of the request that was made last";

fn install(
    newcomer: Newcomer,
    identity: &Identity,
    passphrase: Option<&Passphrase>,
    welcome: Welcome,
    data: &Path,
) -> Result<()> {
    let (network, number) = (welcome.name.to_string(), welcome.number);
    newcomer.install(identity, passphrase, welcome)?;
    ask::say(&join_words::joined(&network, number, data))
}

fn no_identity() -> Error {
    Error::input(
        "--data",
        "there is no identity that asks to join",
        "give the --data of the request",
    )
}

fn own(identity: &Identity) -> Own {
    SecretKey::from(*identity.knock_secret().expose()).into()
}

/// The identity that asks: made only if there is none.
fn identity(about: &About, newcomer: &Newcomer) -> Result<(Identity, Option<Passphrase>)> {
    let file = about.passphrase_file.as_deref();
    if let Some(found) = newcomer.identity(|| ask::passphrase(file))? {
        return Ok(found);
    }
    let passphrase = ask::new_passphrase(file, about.passphrase)?;
    newcomer.make(passphrase.as_ref()).map(|identity| (identity, passphrase))
}

/// Whose node it is.
pub fn organisation(about: &About) -> Result<Organisation> {
    match &about.organisation {
        Some(name) => name.parse(),
        None => ask::read(join_words::ORGANISATION, str::parse),
    }
}

/// Where it will be reached.
pub fn address(about: &About, likely: Option<SocketAddr>) -> Result<Address> {
    if let Some(address) = &about.address {
        return address.parse();
    }
    let question = likely.as_ref().map(join_words::address_question);
    let question = question.as_deref().unwrap_or(join_words::ADDRESS);
    ask::read(question, |typed| match likely.filter(|_| typed.is_empty()) {
        Some(likely) => likely.try_into(),
        None => typed.parse(),
    })
}
