//! Requests and answers as text that a person can look at, and carry on a stick or in a letter.
//!
//! ```text
//! reunite: a request to join a network. It is no secret.
//! organisation  Cox's Bazar NW 9
//! address       10.0.0.9:33009
//! fingerprint   1234 5678 9012 3456 7890 1234
//! -----BEGIN REUNITE JOIN REQUEST-----
//! hexadecimal digits, 64 a line
//! -----END REUNITE JOIN REQUEST-----
//! ```
//!
//! What counts are the digits. Lines for people that say something else than these are refused, so that nobody is
//! deceived by what it reads.

use crate::base::error::{Error, Result};
use crate::model::hex;
use crate::model::join::limits::MAX_JOIN_FILE;
use crate::model::join::request::Request;
use crate::model::keys::PublicKeys;
use crate::model::shown::shown;

const REQUEST: &str = "JOIN REQUEST";
const ANSWER: &str = "JOIN ANSWER";
/// Digits of a line.
const WIDTH: usize = 64;
const ADVICE: &str = "copy the whole file again, as `reunite join` made it";

/// The text of a request.
pub fn of_request(request: &Request) -> String {
    let organisation = request.organisation().to_string();
    let head = format!(
        "reunite: a request to join a network. It is no secret.\norganisation  {}\naddress       {}\nfingerprint   {}\n",
        shown(&organisation),
        request.address(),
        request.keys().fingerprint()
    );
    text(head, REQUEST, request.bytes())
}

/// The request in a text.
pub fn request(from: &str) -> Result<Request> {
    let request = Request::decode(&bytes(from, REQUEST)?)?;
    match is_same(from, &of_request(&request)) {
        true => Ok(request),
        false => Err(differs()),
    }
}

/// The text of an answer to who has these keys.
pub fn of_answer(to: &PublicKeys, answer: &[u8]) -> String {
    let head = format!(
        "reunite: an answer to a request to join. Only the node that asked can open it.\nfingerprint of that node  {}\n",
        to.fingerprint()
    );
    text(head, ANSWER, answer)
}

/// The answer in a text, to the node that has these keys.
pub fn answer(from: &str, to: &PublicKeys) -> Result<Vec<u8>> {
    let answer = bytes(from, ANSWER)?;
    match is_same(from, &of_answer(to, &answer)) {
        true => Ok(answer),
        false => Err(Error::input(
            "answer",
            "it is for another node",
            "accept it on the node that asked, with its --data",
        )),
    }
}

fn text(mut text: String, what: &str, bytes: &[u8]) -> String {
    let digits = hex::digits(bytes);
    let mut rest = digits.as_str();
    text.push_str(&format!("-----BEGIN REUNITE {what}-----\n"));
    while !rest.is_empty() {
        let (line, behind) = rest.split_at_checked(WIDTH).unwrap_or((rest, ""));
        text.push_str(line);
        text.push('\n');
        rest = behind;
    }
    text.push_str(&format!("-----END REUNITE {what}-----\n"));
    text
}

fn bytes(text: &str, what: &str) -> Result<Vec<u8>> {
    let wrong = |wrong: &str| Error::input(what.to_lowercase(), wrong, ADVICE);
    if text.len() as u64 > MAX_JOIN_FILE {
        return Err(wrong("the file is too long"));
    }
    let (begin, end) =
        (format!("-----BEGIN REUNITE {what}-----"), format!("-----END REUNITE {what}-----"));
    let mut lines = text.lines().map(str::trim).skip_while(|line| *line != begin);
    if lines.next().is_none() {
        return Err(wrong("there is none in this file"));
    }
    let mut digits = String::with_capacity(text.len());
    for line in lines {
        if line == end {
            return hex::any_bytes(&digits).ok_or_else(|| wrong("it is damaged"));
        }
        digits.push_str(line);
    }
    Err(wrong("its end is missing"))
}

/// Whether both say the same: how lines end and where spaces stand does not count.
fn is_same(one: &str, other: &str) -> bool {
    let words = |text: &'_ str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    words(one) == words(other)
}

fn differs() -> Error {
    Error::input(
        "join request",
        "what people read in it is not what was signed",
        "somebody changed it: ask for another, by another way",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::join::welcome::tests::{identity, welcome};
    use proptest::prelude::*;

    #[test]
    fn a_request_says_what_it_asks_for_and_is_read_again() {
        let (_, asked) = welcome();
        let text = of_request(&asked);
        for word in ["Clinic 3", "10.0.0.3:33003", &asked.keys().fingerprint()] {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert_eq!(request(&text).expect("right"), asked);
        let windows = text.replace('\n', "\r\n\r\n");
        assert_eq!(request(&windows).expect("right"), asked);
    }

    #[test]
    fn what_people_read_is_what_was_signed() {
        let text = of_request(&welcome().1);
        let (own, other) = (identity(3).public().fingerprint(), identity(4).public().fingerprint());
        for (from, to) in [("Clinic 3", "Clinic 1"), (":33003", ":33001"), (&own, &other)] {
            let error = request(&text.replace(from, to)).expect_err(to).to_string();
            assert!(error.contains("not what was signed"), "{error}");
        }
        assert!(request(&format!("{text}\nIt was compared.")).is_err());
    }

    #[test]
    fn an_answer_is_for_one_node() {
        let (one, other) = (identity(3).public(), identity(4).public());
        let text = of_answer(&one, &[7; 100]);
        assert_eq!(answer(&text, &one).expect("right"), [7; 100]);
        assert!(answer(&text, &other).is_err());
        assert!(request(&text).is_err() && answer(&of_request(&welcome().1), &one).is_err());
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let text = of_answer(&identity(3).public(), &[7; 100]);
        for end in 0..text.len() - 1 {
            assert!(answer(&text[..end], &identity(3).public()).is_err(), "up to {end}");
        }
        assert!(answer(&text.replacen("0707", "07x7", 1), &identity(3).public()).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(-----BEGIN REUNITE JOIN (REQUEST|ANSWER)-----\n)?[0-9a-fä\n]{0,200}(\n-----END REUNITE JOIN (REQUEST|ANSWER)-----)?") {
            prop_assert!(request(&text).is_err());
            let _ = answer(&text, &identity(3).public());
        }
    }
}
